"""Moving, removing and hastening among everything else that happens; tests/core/conversations has the plain cases."""

from __future__ import annotations

import random

import pytest
from support.brokers import BrokerOnStore
from support.messages import frame_for

from rmimom.commands import (
    Acknowledge,
    CloseConsumer,
    Command,
    Connect,
    CreateTemporary,
    DeliverNow,
    Move,
    Pause,
    Purge,
    Release,
    Remove,
    Retry,
    Send,
    Subscribe,
    Tick,
)
from rmimom.core.mailbox import Mailbox
from rmimom.core.place import QueuePlace
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, TemporaryQueue, Topic
from rmimom.effects import Accepted, Refused
from rmimom.errors import InvalidDestinationError
from rmimom.policy import Policies, RedeliveryPolicy

QUEUES = [Queue("a"), Queue("b"), Queue("DLQ.a")]
SELECTORS = ["", "", "x=1"]


class Chance:
    """Commands by chance, on a broker whose rules are checked after each."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        policies = Policies(default=RedeliveryPolicy(maximum=1, delay=20, expiry="DLQ.{name}"))
        self.room = BrokerOnStore(Rules(resident_bytes=400, recovery_grace=50, policies=policies))
        self.consumers = 0

    def run(self, steps: int) -> None:
        self.connect()
        for _ in range(steps):
            roll = self.dice.random()
            if roll < 0.02:
                self.room.restart()
                self.connect()
            elif roll < 0.15:
                self.room.now += self.dice.choice([1, 10, 100])
                self.room.handle(Tick())
            else:
                outcome = self.room.handle(self.command())
                assert not isinstance(outcome.reply, Refused) or outcome.reply.error

    def connect(self) -> None:
        self.room.handle(Connect("c", "ann"))

    def command(self) -> Command:
        dice, queue = self.dice, self.dice.choice(QUEUES)
        ids = dice.sample(range(1, self.room.broker.next_id + 1), min(self.room.broker.next_id, 12))
        number = dice.randint(1, 4)
        makers = [
            lambda: Send("c", "", 0, queue, [self.frame(queue) for _ in range(dice.randint(1, 5))]),
            lambda: Subscribe("c", number, queue, prefetch=3, selector=dice.choice(SELECTORS)),
            lambda: CloseConsumer("c", number),
            lambda: Acknowledge("c", number, 0, ids),
            lambda: Release("c", number, ids, dead=dice.random() < 0.3),
            lambda: Move(SERVER, queue, ids, dice.choice(QUEUES)),
            lambda: Move(SERVER, queue, ids, dice.choice(QUEUES)),
            lambda: Remove(SERVER, queue, ids[:3]),
            lambda: DeliverNow(SERVER, queue, ids),
            lambda: Pause(SERVER, queue, dice.random() < 0.5),
            lambda: Retry(SERVER, queue, ids),
        ]
        if dice.random() < 0.01:
            return Purge(SERVER, queue)
        command: Command = dice.choice(makers)()
        return command

    def frame(self, queue: Queue) -> bytes:
        dice, now = self.dice, self.room.now
        return frame_for(
            queue,
            priority=dice.choice([4, 4, 9]),
            persistent=dice.random() < 0.8,
            expiration=now + dice.randint(1, 200) if dice.random() < 0.3 else 0,
            delivery_time=now + dice.randint(1, 100) if dice.random() < 0.3 else 0,
            properties={"x": 1} if dice.random() < 0.5 else {"JMSXGroupID": "g"} if dice.random() < 0.3 else None,
        )


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_and_nothing_is_in_two_places(seed: int) -> None:
    """Given anything that happens to messages, when they are moved about, then core and store agree at every step."""
    Chance(seed).run(400)


def mailbox_of(room: BrokerOnStore, queue: Queue) -> Mailbox:
    """Where a queue's messages wait."""
    place = room.broker.state.places[queue]
    assert isinstance(place, QueuePlace)
    return place.mailbox


def test_a_message_is_found_wherever_it_is() -> None:
    room = BrokerOnStore()
    room.handle(Connect("c", "ann"))
    queue = Queue("q")
    room.handle(Subscribe("c", 1, queue, prefetch=1))
    late = frame_for(queue, "late", delivery_time=room.now + 10)
    room.handle(Send("c", "", 0, queue, [frame_for(queue), frame_for(queue), late]))
    states = {number: found.state for number in range(8) if (found := mailbox_of(room, queue).find(number))}
    assert states == {2: "held", 3: "ready", 4: "delayed"}
    room.restart()
    states = {number: found.state for number in range(8) if (found := mailbox_of(room, queue).find(number))}
    assert states == {2: "in doubt", 3: "ready", 4: "delayed"}


def test_nothing_is_moved_to_or_from_what_does_not_stay() -> None:
    room = BrokerOnStore()
    room.handle(Connect("c", "ann"))
    passing = TemporaryQueue("passing")
    room.handle(CreateTemporary("c", passing))
    room.handle(Send("c", "", 0, Queue("q"), [frame_for(Queue("q"))]))
    for queue, to in ((Queue("q"), passing), (passing, Queue("q")), (Queue("q"), Topic("t"))):
        outcome = room.handle(Move(SERVER, queue, [3], to))
        assert isinstance(outcome.reply, Refused)
        assert isinstance(outcome.reply.error, InvalidDestinationError)
    # To remove what waits there is no such question.
    room.handle(Send("c", "", 0, passing, [frame_for(passing)]))
    last = room.broker.next_id - 1
    assert room.handle(Remove(SERVER, passing, [last])).reply == Accepted([last])
