"""Following: who watches a destination is told of what comes there, and nothing else changes."""

from __future__ import annotations

from support.brokers import BrokerOnStore
from support.messages import body_of, frame_for

from rmimom.commands import Command, Connect, CreateDestination, Move, Release, Retry, Send, Subscribe
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Destination, Queue, Topic
from rmimom.effects import Accepted, Arrived, Deliver, Outcome
from rmimom.note import decode_note
from rmimom.policy import Policies, RedeliveryPolicy

Q, OTHER, DEAD = Queue("q"), Queue("other"), Queue("DLQ.q")
T = Topic("VirtualTopic.t")
COPY = Queue("Consumer.a.VirtualTopic.t")


def room_with(*followed: Destination) -> BrokerOnStore:
    """A broker with these destinations followed; a consumer's first failure makes a dead letter."""
    room = BrokerOnStore(Rules(policies=Policies(default=RedeliveryPolicy(maximum=0))))
    for destination in (Q, OTHER, T, COPY):
        room.handle(CreateDestination(SERVER, destination))
    room.broker.state.followed.update(followed)
    return room


def arrivals(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """What followers are told: destinations, and the bodies of what came, as far as they are in memory."""
    assert isinstance(outcome.reply, Accepted), outcome.reply
    return [
        (
            effect.destination.name,
            [body_of(message.frame) if message.frame else f"on disk: {message.id}" for message in effect.messages],
        )
        for effect in outcome.effects
        if isinstance(effect, Arrived)
    ]


def sent(destination: Destination, *bodies: str) -> Command:
    return Send(SERVER, "", 0, destination, [frame_for(destination, body) for body in bodies])


def test_what_is_sent_is_told_where_it_is_followed_and_nowhere_else() -> None:
    room = room_with(Q)
    assert arrivals(room.handle(sent(Q, "a", "b"))) == [("q", ["a", "b"])]
    assert arrivals(room.handle(sent(OTHER, "c"))) == []
    room.broker.state.followed.clear()
    assert arrivals(room.handle(sent(Q, "d"))) == []


def test_a_queue_s_messages_are_told_with_their_ids() -> None:
    room = room_with(Q)
    [effect] = [one for one in room.handle(sent(Q, "a", "b")).effects if isinstance(one, Arrived)]
    mailbox = room.broker.state.places[Q].mailboxes()[0]
    assert [message.id for message in effect.messages] == [entry.id for entry in mailbox.entries()]


def test_consumers_get_what_they_would_get_anyway() -> None:
    told: list[list[Deliver]] = []
    for followed in ((), (Q,)):
        room = room_with(*followed)
        room.handle(Connect("c", "ann", ""))
        room.handle(Subscribe("c", 1, Q, prefetch=10))
        told.append([one for one in room.handle(sent(Q, "a")).effects if isinstance(one, Deliver)])
    assert told[0] == told[1]
    assert len(told[0]) == 1


def test_a_topic_is_followed_without_subscribers_and_so_is_a_queue_with_its_copies() -> None:
    room = room_with(T, COPY)
    assert arrivals(room.handle(sent(T, "a"))) == [("VirtualTopic.t", ["a"]), ("Consumer.a.VirtualTopic.t", ["a"])]


def test_moved_messages_and_dead_letters_come_to_their_queues() -> None:
    """Given a dead letter, whose frame the server let go of on its way to the consumer, then its id is told."""
    room = room_with(Q, OTHER, DEAD)
    room.handle(Connect("c", "ann", ""))
    room.handle(Subscribe("c", 1, Q, prefetch=1))
    room.handle(sent(Q, "bad", "good"))
    first = min(entry.id for entry in room.broker.state.places[Q].mailboxes()[0].entries())
    outcome = room.handle(Release("c", 1, [first]))
    assert arrivals(outcome) == [("DLQ.q", [f"on disk: {first}"])]
    [effect] = [one for one in outcome.effects if isinstance(one, Arrived)]
    [message] = effect.messages
    assert (message.id, decode_note(message.note).original_destination) == (first, "queue://q")
    assert arrivals(room.handle(Retry(SERVER, DEAD))) == [("q", [f"on disk: {first}"])]
    room.handle(sent(OTHER, "x"))
    [moved] = room.broker.state.places[OTHER].mailboxes()[0].entries()
    assert arrivals(room.handle(Move(SERVER, OTHER, [moved.id], Q))) == [("q", ["x"])]


def test_what_rests_on_disk_is_told_without_its_frame() -> None:
    room = BrokerOnStore(Rules(resident_bytes=0))
    for destination in (Q, OTHER):
        room.handle(CreateDestination(SERVER, destination))
    room.handle(sent(Q, "a"))
    room.broker.state.followed.add(OTHER)
    [entry] = room.broker.state.places[Q].mailboxes()[0].entries()
    outcome = room.handle(Move(SERVER, Q, [entry.id], OTHER))
    [effect] = [one for one in outcome.effects if isinstance(one, Arrived)]
    assert [(message.id, message.frame) for message in effect.messages] == [(entry.id, b"")]
