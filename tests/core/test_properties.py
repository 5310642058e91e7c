"""The broker against a slow model that is obviously right, through any sequence of commands.

After every command `BrokerOnStore` also checks the rules of the core, and that the store would bring it back.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.brokers import BrokerOnStore
from support.invariants import mailboxes_of
from support.messages import frame_for
from support.model import ModelConsumer, ModelMailbox, ModelMessage

from rmimom.commands import (
    Acknowledge,
    CloseConsumer,
    Command,
    Connect,
    CreateDestination,
    DeleteSubscription,
    Disconnect,
    Purge,
    Release,
    Send,
    Subscribe,
    Tick,
)
from rmimom.core.ready import ReadyList
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Destination, Queue, Topic
from rmimom.effects import Accepted, Deliver, Outcome

QUEUES = [Queue("q0"), Queue("q1")]
TOPIC = Topic("t")
CONNECTIONS = ["a", "b", "c"]
NAMES = ["", "x", "y"]
Consumer = tuple[str, int]

connections = st.sampled_from(CONNECTIONS)
queues = st.sampled_from(QUEUES)
windows = st.builds(ModelConsumer, st.sampled_from([1, 2, 5]), st.sampled_from([60, 10_000]))
kinds = st.fixed_dictionaries(
    {
        "priority": st.sampled_from([4, 4, 4, 0, 9]),
        "persistent": st.sampled_from([True, True, False]),
        "ttl": st.sampled_from([0, 0, 0, 5, 200]),
        "delay": st.sampled_from([0, 0, 0, 5, 200]),
    }
)


class BrokerMachine(RuleBasedStateMachine):
    """Commands for the broker and the model, and what both must agree on."""

    def __init__(self) -> None:
        super().__init__()
        self.room = BrokerOnStore(Rules(resident_bytes=400, recovery_grace=50))
        self.mailboxes: dict[int, ModelMailbox] = {}
        self.consumers: dict[Consumer, int] = {}
        self.subscriptions: dict[tuple[str, str], int] = {}
        self.known: dict[Consumer, dict[int, set[int]]] = {}  # what a consumer got of each mailbox, ever
        self.sent: dict[str, tuple[int, Destination, list[bytes]]] = {}

    @initialize()
    def make_places(self) -> None:
        for destination in (*QUEUES, TOPIC):
            number = self.room.broker.next_id
            self.room.handle(CreateDestination(SERVER, destination))
            if isinstance(destination, Queue):
                self.mailboxes[number] = ModelMailbox(durable=True)
        for connection in CONNECTIONS:
            self.room.handle(Connect(connection, connection))

    # Both do the same.

    def do(self, command: Command) -> Outcome:
        outcome = self.room.handle(command)
        assert isinstance(outcome.reply, Accepted), outcome.reply
        return outcome

    def watch(self, outcome: Outcome) -> None:
        """Check what the outcome hands out, with frames that can be had."""
        told: dict[int, dict[Consumer, list[tuple[int, int]]]] = {number: {} for number in self.mailboxes}
        for effect in outcome.effects:
            if isinstance(effect, Deliver):
                for delivered, frame in self.room.frames(effect):
                    assert frame
                    for number, count in zip(delivered.consumers, delivered.counts, strict=True):
                        consumer = (effect.connection, number)
                        mailbox = self.consumers[consumer]
                        told[mailbox].setdefault(consumer, []).append((delivered.tag, count))
                        self.known.setdefault(consumer, {}).setdefault(mailbox, set()).add(delivered.tag)
        for mailbox, pairs in told.items():
            self.mailboxes[mailbox].delivered(pairs, self.room.now)

    def mailbox_of(self, destination: Destination) -> int:
        return self.room.broker.state.places[destination].id

    @rule(
        connection=connections,
        destination=st.sampled_from([*QUEUES, TOPIC]),
        all_of=st.lists(kinds, max_size=4),
        numbered=st.booleans(),
    )
    def send(self, connection: str, destination: Destination, all_of: list[dict[str, int]], numbered: bool) -> None:
        now = self.room.now
        first = self.room.broker.next_id
        frames: list[bytes] = []
        messages: list[tuple[int, dict[str, object]]] = []
        for number, kind in enumerate(all_of or [{"priority": 4, "persistent": True, "ttl": 0, "delay": 0}]):
            fields: dict[str, object] = {
                "priority": kind["priority"],
                "persistent": bool(kind["persistent"]),
                "expiration": now + kind["ttl"] if kind["ttl"] else 0,
                "delivery_time": now + kind["delay"] if kind["delay"] else 0,
            }
            frames.append(frame_for(destination, f"m{first + number}", **fields))  # type: ignore[arg-type]
            messages.append((first + number, fields))
        producer, sequence = "", 0
        if numbered:
            producer = f"p-{connection}"
            old = self.sent.get(producer)
            sequence = old[0] + len(old[2]) if old else 1
            self.sent[producer] = (sequence, destination, frames)
        outcome = self.do(Send(connection, producer, sequence, destination, frames))
        targets = self._audience(destination, connection)
        for tag, fields in messages:
            for mailbox in targets:
                size = len(frames[tag - first])
                mailbox.put(ModelMessage(tag, size, **fields), now)  # type: ignore[arg-type]
        self.watch(outcome)

    def _audience(self, destination: Destination, connection: str) -> Iterable[ModelMailbox]:
        if isinstance(destination, Queue):
            return [self.mailboxes[self.mailbox_of(destination)]]
        subscriptions = mailboxes_of(self.room.broker.state).keys() - {self.mailbox_of(queue) for queue in QUEUES}
        chosen = [self.mailboxes[number] for number in sorted(subscriptions)]
        return [mailbox for mailbox in chosen if mailbox.no_local_for != connection]

    @precondition(lambda self: self.sent)
    @rule(connection=connections, data=st.data())
    def send_again(self, connection: str, data: st.DataObject) -> None:
        """An answer was lost: the same numbers come again, by any connection, and nothing happens."""
        producer = data.draw(st.sampled_from(sorted(self.sent)))
        sequence, destination, frames = self.sent[producer]
        known = self.room.broker.state.producers.accepted_up_to(producer)
        if known >= sequence + len(frames) - 1:
            outcome = self.do(Send(connection, producer, sequence, destination, frames))
            assert (outcome.records, outcome.effects) == ([], [])

    def _free(self, consumer: Consumer) -> bool:
        return consumer not in self.consumers

    @rule(connection=connections, number=st.integers(1, 2), queue=queues, window=windows, data=st.data())
    def consume(self, connection: str, number: int, queue: Queue, window: ModelConsumer, data: st.DataObject) -> None:
        if self._free((connection, number)):
            self._open((connection, number), queue, self.mailbox_of(queue), window, data)

    @rule(connection=connections, number=st.integers(1, 2), window=windows, no_local=st.booleans())
    def listen(self, connection: str, number: int, window: ModelConsumer, no_local: bool) -> None:
        if self._free((connection, number)):
            mailbox = self.room.broker.next_id
            self.mailboxes[mailbox] = ModelMailbox(durable=False, no_local_for=connection if no_local else "")
            self._open((connection, number), TOPIC, mailbox, window, None, no_local=no_local)

    @rule(connection=connections, name=st.sampled_from(["x", "y"]), window=windows, data=st.data())
    def subscribe(self, connection: str, name: str, window: ModelConsumer, data: st.DataObject) -> None:
        key, consumer = (connection, name), (connection, 3 if name == "x" else 4)
        if not self._free(consumer):
            return
        if key not in self.subscriptions:
            self.subscriptions[key] = self.room.broker.next_id
            self.mailboxes[self.subscriptions[key]] = ModelMailbox(durable=True)
        self._open(consumer, TOPIC, self.subscriptions[key], window, data, durable=name)

    def _open(
        self,
        consumer: Consumer,
        destination: Destination,
        mailbox: int,
        window: ModelConsumer,
        data: st.DataObject | None,
        **more: object,
    ) -> None:
        self.wait(0)  # what has expired is struck out; before that it may be claimed, and the model does not know
        tags = sorted(self.known.get(consumer, {}).get(mailbox, ()))
        settled = data.draw(st.lists(st.sampled_from(tags), unique=True)) if data and tags else []
        rest = [tag for tag in tags if tag not in settled]
        held = data.draw(st.lists(st.sampled_from(rest), unique=True)) if data and rest else []
        expected = self.mailboxes[mailbox].come(consumer, window, settled, held, self.room.now)
        self.consumers[consumer] = mailbox
        connection, number = consumer
        outcome = self.do(
            Subscribe(
                connection,
                number,
                destination,
                prefetch=window.prefetch,
                prefetch_bytes=window.prefetch_bytes,
                settled=tuple(settled),
                held=tuple(held),
                **more,  # type: ignore[arg-type]
            )
        )
        assert isinstance(outcome.reply, Accepted)
        assert outcome.reply.value == expected
        self.watch(outcome)

    def _leave(self, consumer: Consumer) -> None:
        mailbox = self.consumers.pop(consumer)
        self.mailboxes[mailbox].leave(consumer)
        if not self.mailboxes[mailbox].durable:
            del self.mailboxes[mailbox]

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        consumer = data.draw(st.sampled_from(sorted(self.consumers)))
        self._leave(consumer)
        self.watch(self.do(CloseConsumer(*consumer)))

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), stranger=st.integers(1, 100))
    def close_but_for_some(self, data: st.DataObject, stranger: int) -> None:
        consumer, mailbox, tags = self._draw_held(data)
        if not mailbox.durable:
            return  # its subscription ends: see the recorded conversation
        if tags:
            mailbox.leave_but_for(consumer, tags)
        else:
            self._leave(consumer)
            tags = [stranger] if stranger not in mailbox.messages else []
        self.watch(self.do(CloseConsumer(*consumer, tags)))

    @rule(connection=connections)
    def disconnect(self, connection: str) -> None:
        for consumer in [one for one in self.consumers if one[0] == connection]:
            self._leave(consumer)
        self.watch(self.do(Disconnect(connection)))
        self.do(Connect(connection, connection))

    @precondition(lambda self: self.subscriptions)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.subscriptions)))
        if self.mailboxes[self.subscriptions[key]].consumers:
            return
        del self.mailboxes[self.subscriptions.pop(key)]
        self.watch(self.do(DeleteSubscription(*key)))

    def _draw_held(self, data: st.DataObject) -> tuple[Consumer, ModelMailbox, list[int]]:
        consumer = data.draw(st.sampled_from(sorted(self.consumers)))
        mailbox = self.mailboxes[self.consumers[consumer]]
        held = mailbox.held_by(consumer)
        return consumer, mailbox, data.draw(st.lists(st.sampled_from(held), unique=True)) if held else []

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), stranger=st.integers(1, 100))
    def acknowledge(self, data: st.DataObject, stranger: int) -> None:
        consumer, mailbox, tags = self._draw_held(data)
        for tag in tags:
            del mailbox.messages[tag]
        if stranger not in mailbox.messages:
            tags = [*tags, stranger]
        self.watch(self.do(Acknowledge(*consumer, tags=tags)))

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def acknowledge_up_to(self, data: st.DataObject) -> None:
        consumer, mailbox, tags = self._draw_held(data)
        if tags:
            opened = self.room.broker.state.clients[consumer[0]].consumers[consumer[1]]
            order = list(opened.consumer.held)
            for tag in order[: order.index(tags[0]) + 1]:
                del mailbox.messages[tag]
            self.watch(self.do(Acknowledge(*consumer, up_to=tags[0])))

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        consumer, mailbox, tags = self._draw_held(data)
        mailbox.give_back(tags)
        self.watch(self.do(Release(*consumer, tags=tags)))

    @rule(queue=queues)
    def purge(self, queue: Queue) -> None:
        mailbox = self.mailboxes[self.mailbox_of(queue)]
        mailbox.messages = {tag: message for tag, message in mailbox.messages.items() if message.holder}
        self.watch(self.do(Purge(SERVER, queue)))

    @rule(milliseconds=st.sampled_from([0, 1, 5, 50, 300]))
    def wait(self, milliseconds: int) -> None:
        self.room.now += milliseconds
        for mailbox in self.mailboxes.values():
            mailbox.time_passes(self.room.now)
        self.watch(self.do(Tick()))

    @rule(milliseconds=st.sampled_from([0, 5, 50, 300]))
    def restart(self, milliseconds: int) -> None:
        self.room.now += milliseconds
        self.room.restart()
        self.consumers.clear()
        for number, mailbox in list(self.mailboxes.items()):
            if mailbox.durable:
                mailbox.restart(self.room.now, self.room.rules.recovery_grace)
            else:
                del self.mailboxes[number]
        for connection in CONNECTIONS:
            self.room.handle(Connect(connection, connection))
        self.wait(0)

    # Both say the same.

    @invariant()
    def same_messages(self) -> None:
        """Apart from what has expired, which the broker may strike out when it likes."""
        now = self.room.now
        actual = mailboxes_of(self.room.broker.state)
        assert actual.keys() == self.mailboxes.keys()
        for number, mailbox in self.mailboxes.items():
            expected = {message.tag for message in mailbox.messages.values() if message.holder or not message.over(now)}
            found = {
                entry.id
                for entry in actual[number].entries()
                if entry.id in expected or not 0 < entry.expiration <= now
            }
            assert found == expected
            if mailbox.durable:
                assert mailbox.handed_out <= actual[number].delivered_up_to <= mailbox.greatest
                mailbox.handed_out = actual[number].delivered_up_to
            for consumer in actual[number].consumers:
                held = mailbox.held_by((consumer.connection, consumer.number))
                assert set(consumer.held) == set(held)


BrokerMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestBroker = BrokerMachine.TestCase


def test_model_notices_a_wrong_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a ready list that forgets about age, when the machine runs, then it fails."""
    monkeypatch.setattr(ReadyList, "put_back", ReadyList.append)
    hasty = settings(
        BrokerMachine.TestCase.settings,
        max_examples=200,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(BrokerMachine, settings=hasty)
