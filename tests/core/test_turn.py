"""What one command brings about, gathered."""

from __future__ import annotations

from msgspec import Raw

from rmimom.core.turn import Turn
from rmimom.destination import Queue
from rmimom.effects import Accepted, Deliver, DestinationAdded, Outcome
from rmimom.frame import Delivered
from rmimom.records import DestinationCreated, MailboxAdvanced, MessagesDropped, MessagesRemoved, MessagesReturned

REPLY = Accepted()


def test_nothing_gives_nothing() -> None:
    turn = Turn(5)
    turn.deliveries_to("c")
    assert turn.outcome(REPLY) == Outcome(REPLY, [], [])


def test_records_are_gathered_by_mailbox_in_the_order_in_which_they_can_be_applied() -> None:
    """A message is created before it is returned, returned before it is removed, removed before it is dropped."""
    turn = Turn(5)
    turn.dropped += [7, 8]
    turn.removed(1, [7])
    turn.removed(2, [9])
    turn.removed(1, [8])
    turn.advanced(1, 6)
    turn.advanced(1, 9)
    turn.returned(1, [7])
    turn.returned(1, [8])
    created = DestinationCreated(1, "queue", "q", 5)
    turn.records.append(created)
    assert turn.outcome(REPLY).records == [
        created,
        MessagesReturned(1, [7, 8]),
        MailboxAdvanced(1, 9),
        MessagesRemoved(1, [7, 8]),
        MessagesRemoved(2, [9]),
        MessagesDropped([7, 8]),
    ]


def test_deliveries_come_after_the_other_effects_by_connection() -> None:
    turn = Turn(5)
    first, second = Delivered(1, [1], [1], Raw(b"a")), Delivered(2, [1], [1], Raw(b"b"))
    turn.deliveries_to("c")[1] = first
    turn.deliveries_to("d")[1] = first
    turn.deliveries_to("c")[2] = second
    added = DestinationAdded(Queue("q"))
    turn.effects.append(added)
    assert turn.outcome(REPLY).effects == [added, Deliver("c", [first, second]), Deliver("d", [first])]
