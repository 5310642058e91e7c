"""Consumers of patterns of queues under random commands; see also conversations/queue_patterns*.txt."""

from __future__ import annotations

import random

import pytest
from support.brokers import BrokerOnStore
from support.messages import body_of, frame_for

from rmimom.commands import (
    Acknowledge,
    CloseConsumer,
    Command,
    Connect,
    CreateDestination,
    DeleteDestination,
    Disconnect,
    Release,
    Send,
    Subscribe,
    Tick,
)
from rmimom.core.patterns import matching
from rmimom.core.queue_pattern import QueuePattern
from rmimom.destination import Destination, Queue, Topic
from rmimom.effects import Accepted, Deliver

PATTERNS = ["q.*", "q.>", "*.1", ">", "Consumer.*.VirtualTopic.T", "q.2", "q.1"]
TARGETS: list[Destination] = [Queue("q.1"), Queue("q.2"), Queue("q.3.x"), Topic("VirtualTopic.T")]
COPIES = [Queue("Consumer.A.VirtualTopic.T"), Queue("Consumer.B.VirtualTopic.T")]
SELECTORS = ["", "", "JMSPriority > 4"]


class Bustle:
    """Connections that open consumers, send and settle as chance has it, and what must come out of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.made = BrokerOnStore()
        self.held: dict[tuple[str, int], list[int]] = {}
        self.last: dict[tuple[str, int, str], tuple[int, int]] = {}
        self.sent: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.bodies: dict[int, str] = {}
        for connection in "abc":
            self.do(Connect(connection, connection))
        for queue in COPIES:
            self.do(CreateDestination("a", queue))

    def do(self, command: Command) -> None:
        outcome = self.made.handle(command)
        assert isinstance(outcome.reply, Accepted), outcome.reply
        for effect in outcome.effects:
            if isinstance(effect, Deliver):
                for delivered, frame in self.made.frames(effect):
                    self.bodies[delivered.tag] = body_of(frame)
                    for number in delivered.consumers:
                        held = self.held[effect.connection, number]
                        assert delivered.tag not in held, "two messages have one tag"
                        held.append(delivered.tag)

    def step(self) -> None:
        """Something happens."""
        chance = self.chance
        act = chance.choice(["send", "send", "open", "settle", "settle", "settle", "fail", "close", "lose", "wait"])
        if act == "send":
            self._send()
        elif act == "open":
            self._open()
        elif act == "lose" and chance.random() < 0.3:
            connection = chance.choice("abc")
            for key in [key for key in self.held if key[0] == connection]:
                del self.held[key]
            self.do(Disconnect(connection))
            self.do(Connect(connection, connection))
        elif act == "wait":
            self.made.now += chance.choice([1, 50])
            self.do(Tick())
        elif self.held:
            key = chance.choice(sorted(self.held))
            if act == "close":
                del self.held[key]
                self.do(CloseConsumer(*key))
            else:
                self._settle(key, fails=act == "fail")

    def _send(self) -> None:
        target = self.chance.choice(TARGETS)
        frames = []
        for _ in range(self.chance.randint(1, 3)):
            body = f"{target}-{len(self.sent)}"
            self.sent[body] = len(COPIES) if isinstance(target, Topic) else 1
            group = {"JMSXGroupID": self.chance.choice("xy")} if self.chance.random() < 0.3 else {}
            frames.append(frame_for(target, body, priority=self.chance.choice([4, 4, 9]), properties=dict(group)))
        self.do(Send("a", "", 0, target, frames))

    def _open(self) -> None:
        chance = self.chance
        key = chance.choice("abc"), chance.randint(1, 4)
        if key not in self.held:
            self.held[key] = []
            self.do(
                Subscribe(
                    *key,
                    Queue(chance.choice(PATTERNS)),
                    selector=chance.choice(SELECTORS),
                    prefetch=chance.choice([1, 2, 5]),
                    priority=chance.choice([0, 0, 1]),
                    exclusive=chance.random() < 0.1,
                )
            )

    def _settle(self, key: tuple[str, int], *, fails: bool) -> None:
        held = self.held[key]
        tags = [tag for tag in held if self.chance.random() < 0.5]
        for tag in tags:
            held.remove(tag)
        if fails:
            self.do(Release(*key, tuple(tags), delay=self.chance.choice([None, 20]), maximum=-1))
            return
        for tag in tags:
            self.done[self.bodies[tag]] = self.done.get(self.bodies[tag], 0) + 1
        self.do(Acknowledge(*key, tags=tags))

    def finish(self) -> None:
        """Let one consumer have all the rest."""
        for connection in "abc":
            self.do(Disconnect(connection))
        self.held = {("z", 1): []}
        self.do(Connect("z", "z"))
        self.do(Subscribe("z", 1, Queue(">"), prefetch=3))
        while self.held["z", 1]:
            self._settle(("z", 1), fails=False)
            self.made.now += 50
            self.do(Tick())


@pytest.mark.parametrize("seed", range(12))
def test_every_copy_is_settled_once_whatever_happens(seed: int) -> None:
    """Given consumers of patterns among others, then nothing is lost, left over or had twice (see the invariants)."""
    bustle = Bustle(seed)
    for _ in range(150):
        bustle.step()
    bustle.finish()
    assert bustle.done == bustle.sent
    assert len(bustle.sent) > 30


def test_queues_are_found_in_the_order_of_their_making() -> None:
    made = BrokerOnStore()
    made.handle(Connect("c", "ann"))
    for name in ("q.b", "q.a", "other"):
        made.handle(CreateDestination("c", Queue(name)))
    made.handle(CreateDestination("c", Topic("q.t")))
    found = matching(made.broker.state, QueuePattern(Queue("q.*")))
    assert [str(place.destination) for place in found] == ["queue://q.b", "queue://q.a"]


def test_a_queue_that_is_deleted_leaves_no_trace() -> None:
    """Given a consumer whose queue is deleted and made again, then it has what is sent to the new one."""
    made = BrokerOnStore()
    made.handle(Connect("c", "ann"))
    made.handle(Subscribe("c", 1, Queue("q.*"), selector="JMSPriority = 4"))
    for body in ("one", "two"):
        made.handle(Send("c", "", 0, Queue("q.1"), [frame_for(Queue("q.1"), body)]))
        opened = made.broker.state.clients["c"].consumers[1]
        made.handle(Acknowledge("c", 1, tags=tuple(opened.consumer.held)))
        assert isinstance(made.handle(DeleteDestination("c", Queue("q.1"))).reply, Accepted)
        assert opened.parts() == []
