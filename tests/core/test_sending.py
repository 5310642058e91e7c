"""Sending: frames of a producer find their mailboxes."""

from __future__ import annotations

import msgspec
import pytest
from support.brokers import NOW, BrokerOnStore
from support.messages import frame_for

from rmimom.commands import Commit, Connect, CreateDestination, PutUser, RemoveUser, Send, Subscribe
from rmimom.composite import parse_target
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Destination, Queue, Topic
from rmimom.effects import Accepted, Deliver, Refused
from rmimom.errors import InvalidDestinationError, JMSError, JMSSecurityError, MessageFormatError, MessageTooLargeError
from rmimom.frame import Frame, decode_frame, encode
from rmimom.records import DestinationCreated, MessagesStored, ProducerAdvanced

Q = Queue("q")
T = Topic("t")


def room(rules: Rules | None = None) -> BrokerOnStore:
    made = BrokerOnStore(rules)
    made.handle(Connect("p", "ann"))
    return made


def changed(**fields: object) -> bytes:
    """A good frame with some fields changed."""
    good = decode_frame(frame_for(Q))
    return encode(Frame(**{**{name: getattr(good, name) for name in good.__struct_fields__}, **fields}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accepted", "sequence", "count", "stored"),
    [(0, 1, 3, 3), (3, 1, 3, 0), (3, 2, 1, 0), (3, 1, 5, 2), (3, 3, 2, 1), (3, 4, 2, 2), (3, 9, 1, 1)],
)
def test_what_a_producer_repeats_is_passed_over(accepted: int, sequence: int, count: int, stored: int) -> None:
    """Promise 3: given numbers accepted, when a batch begins before their end, then only the new are stored."""
    made = room()
    if accepted:
        made.handle(Send("p", "x", 1, Q, [frame_for(Q, "old")] * accepted))
    outcome = made.handle(
        Send("p", "x", sequence, Q, [frame_for(Q, str(n)) for n in range(sequence, sequence + count)])
    )
    assert isinstance(outcome.reply, Accepted)
    kept = [record for record in outcome.records if isinstance(record, MessagesStored)]
    assert sum(len(record.ids) for record in kept) == stored
    if stored:
        bodies = [decode_frame(frame).body for frame in kept[0].frames]
        assert bodies == [str(n).encode() for n in range(sequence + count - stored, sequence + count)]
        assert outcome.records[-1] == ProducerAdvanced("x", sequence + count - 1, NOW)


BAD: list[tuple[str, list[bytes], type[JMSError], str]] = [
    ("no frame", [b""], MessageFormatError, "not a message frame"),
    ("garbage", [b"\xff\x00garbage"], MessageFormatError, "not a message frame"),
    ("half a frame", [frame_for(Q)[:-1]], MessageFormatError, "not a message frame"),
    ("a map", [msgspec.msgpack.encode({"a": 1})], MessageFormatError, "not a message frame"),
    ("priority 10", [changed(priority=10)], MessageFormatError, "priority 10"),
    ("kind 6", [changed(kind=6)], MessageFormatError, "kind 6"),
    ("mode 3", [changed(mode=3)], MessageFormatError, "mode 3"),
    ("a negative time", [changed(expiration=-1)], MessageFormatError, "not a message frame"),
    ("a number too large", [changed(delivery_time=2**63)], MessageFormatError, "not a message frame"),
    ("another destination", [changed(destination="queue://other")], MessageFormatError, "'queue://other'"),
    ("a later one is bad", [frame_for(Q), b""], MessageFormatError, "not a message frame"),
    ("too large", [frame_for(Q, "x" * 200)], MessageTooLargeError, "over the limit of 200 bytes"),
]


@pytest.mark.parametrize(("frames", "error", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_frame_is_refused_with_its_whole_batch(frames: list[bytes], error: type[JMSError], text: str) -> None:
    """All or none: nothing is stored, no destination is made and no number is taken."""
    made = room(Rules(max_message_size=200))
    outcome = made.handle(Send("p", "x", 1, Q, frames))
    assert isinstance(outcome.reply, Refused)
    assert isinstance(outcome.reply.error, error)
    assert text in str(outcome.reply.error)
    assert (outcome.records, outcome.effects) == ([], [])
    assert not made.broker.has_accepted(Send("p", "x", 1, Q, []))


@pytest.mark.parametrize("sequence", [0, -1, 2**63])
def test_number_out_of_bounds_is_refused(sequence: int) -> None:
    """A number below 1 would be taken for a repetition and the message dropped; one over 63 bits cannot be stored."""
    outcome = room().handle(Send("p", "x", sequence, Q, [frame_for(Q)]))
    assert isinstance(outcome.reply, Refused)
    assert isinstance(outcome.reply.error, MessageFormatError)


@pytest.mark.parametrize("producer", ["x" * 256, "a\x00b", "\udcff"])
def test_name_of_a_producer_must_be_storable(producer: str) -> None:
    outcome = room().handle(Send("p", producer, 1, Q, [frame_for(Q)]))
    assert isinstance(outcome.reply, Refused)


def test_only_persistent_messages_are_stored() -> None:
    """§7.7: given a batch of both kinds, when it is sent, then the disk gets the persistent ones."""
    made = room()
    frames = [frame_for(Q, "a"), frame_for(Q, "b", persistent=False), frame_for(Q, "c")]
    outcome = made.handle(Send("p", "x", 1, Q, frames))
    (stored,) = [record for record in outcome.records if isinstance(record, MessagesStored)]
    assert (stored.ids, stored.frames) == ([2, 4], [frames[0], frames[2]])
    assert made.broker.statistics().resident_bytes == sum(map(len, frames))


def test_message_of_memory_alone_takes_no_disk() -> None:
    made = room()
    outcome = made.handle(Send("p", "x", 1, Q, [frame_for(Q, persistent=False)]))
    assert [type(record) for record in outcome.records] == [DestinationCreated]


def test_memory_over_its_budget_goes_to_disk() -> None:
    """Given a budget of 300 bytes, when more waits, then persistent frames are forgotten and others spilled first."""
    made = room(Rules(resident_bytes=300))
    sent: list[bytes] = []
    for number in range(8):
        sent.append(frame_for(Q, f"{number}".ljust(60), persistent=number % 2 == 0))
        made.handle(Send("p", "x", number + 1, Q, [sent[-1]]))
    statistics = made.broker.statistics()
    assert statistics.resident_bytes <= 300 + len(sent[-1])
    assert made.store.statistics().messages > 4
    outcome = made.handle(_consumer())
    (effect,) = outcome.effects
    assert [frame for _, frame in made.frames(effect)] == sent


def _consumer() -> Subscribe:
    return Subscribe("p", 1, Q)


def test_spilled_message_does_not_outlive_a_restart() -> None:
    """§7.7: non-persistent is at most once, and does not come back from the dead."""
    made = room(Rules(resident_bytes=1))
    made.handle(Send("p", "x", 1, Q, [frame_for(Q, "gone", persistent=False), frame_for(Q, "kept")]))
    assert made.store.statistics().messages == 2
    made.restart()
    made.handle(Connect("p", "ann"))
    outcome = made.handle(_consumer())
    (effect,) = outcome.effects
    assert isinstance(effect, Deliver)
    assert [decode_frame(frame).body for _, frame in made.frames(effect)] == [b"kept"]


def test_topic_without_subscriptions_keeps_nothing_but_knows_the_producer() -> None:
    made = room()
    made.handle(Send("p", "x", 1, T, [frame_for(T)]))
    outcome = made.handle(Send("p", "x", 1, T, [frame_for(T)]))
    assert outcome.records == []
    statistics = made.broker.statistics()
    assert (statistics.messages_in, statistics.resident_bytes, statistics.producers) == (1, 0, 1)


def test_persistent_message_for_subscribers_that_are_not_durable_is_not_stored() -> None:
    """Table 4-1: what waits for them may be dropped when they end; the delivery mode does not change that."""
    made = room()
    made.handle(Subscribe("p", 1, T))
    outcome = made.handle(Send("p", "x", 1, T, [frame_for(T)]))
    assert outcome.records == []
    assert len(outcome.effects) == 1


def test_topic_message_is_stored_once_for_all_durable_subscriptions() -> None:
    made = room()
    made.handle(Subscribe("p", 1, T, durable="a"))
    made.handle(Subscribe("p", 2, T, durable="b", prefetch=1))
    made.handle(Subscribe("p", 3, T))
    outcome = made.handle(Send("p", "x", 1, T, [frame_for(T, "1"), frame_for(T, "2")]))
    (stored,) = [record for record in outcome.records if isinstance(record, MessagesStored)]
    assert (stored.mailboxes, stored.ids) == ([2, 3], [5, 6])
    (effect,) = outcome.effects
    assert isinstance(effect, Deliver)
    assert [(told.tag, told.consumers, told.counts) for told in effect.deliveries] == [
        (5, [1, 3], [1, 1]),
        (6, [1, 3], [1, 1]),
        (5, [2], [1]),
    ]


def claiming(user: str, *, hidden: bool = False) -> bytes:
    name = "\\u004aMSXUserID" if hidden else "JMSXUserID"
    return changed(properties=f'{{"{name}":"{user}"}}'.encode())


@pytest.mark.parametrize("hidden", [False, True])
def test_nobody_sends_in_the_name_of_another(hidden: bool) -> None:
    """§3.5.9: given users with passwords, JMSXUserID is the user of the connection, however it is written."""
    made = room()
    made.handle(PutUser(SERVER, "ann", b"salt", b"digest"))
    assert isinstance(made.handle(Send("p", "", 0, Q, [claiming("ann", hidden=hidden)])).reply, Accepted)
    for command in (
        Send("p", "", 0, Q, [claiming("ann"), claiming("bob", hidden=hidden)]),
        Commit("p", "t", 1, [(Q, [claiming("bob", hidden=hidden)])], []),
    ):
        outcome = made.handle(command)
        assert isinstance(outcome.reply, Refused)
        assert isinstance(outcome.reply.error, JMSSecurityError)
        assert "'bob'" in str(outcome.reply.error)
        assert outcome.records == []
    made.handle(RemoveUser(SERVER, "ann"))
    assert isinstance(made.handle(Send("p", "", 0, Q, [claiming("bob")])).reply, Accepted)


HEARTBEAT, COORDINATION = Topic("rmimom.heartbeat"), Topic("rmimom.coordination")


@pytest.mark.parametrize("wanted", [HEARTBEAT, COORDINATION, parse_target("queue://q,topic://rmimom.heartbeat")])
def test_nobody_but_the_server_sends_to_its_own_destinations(wanted: Destination) -> None:
    """A false heartbeat could hide the true ones, and a server that lives would be taken for dead."""
    made = room()
    made.handle(CreateDestination(SERVER, HEARTBEAT))
    made.handle(Subscribe("p", 1, HEARTBEAT))
    refused = made.handle(Send("p", "x", 1, wanted, [frame_for(wanted, "false", persistent=False)]))
    assert isinstance(refused.reply, Refused)
    assert isinstance(refused.reply.error, InvalidDestinationError)
    assert not any(isinstance(effect, Deliver) for effect in refused.effects)
    told = made.handle(Send(SERVER, "", 0, HEARTBEAT, [frame_for(HEARTBEAT, "true", persistent=False)]))
    assert any(isinstance(effect, Deliver) for effect in told.effects)


def test_nobody_but_servers_subscribes_to_what_servers_alone_may_hear() -> None:
    refused = room().handle(Subscribe("p", 1, COORDINATION))
    assert isinstance(refused.reply, Refused)
    assert isinstance(refused.reply.error, InvalidDestinationError)
