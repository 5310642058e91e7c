"""The life of a message in one mailbox (the rules stand in rmimom/core/mailbox.py)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.desk import NOW, Desk, consumer, told

from rmimom.core.past import Past
from rmimom.core.turn import Turn
from rmimom.effects import Accepted, Outcome
from rmimom.records import MailboxAdvanced, MessagesDropped, MessagesRemoved, MessagesReturned, Record


def test_message_goes_through_all_its_places() -> None:
    """Given a waiting message, when it is delivered, returned and acknowledged, then each step is recorded."""
    desk = Desk()
    assert desk.put(5) == Outcome(Accepted(), [], [])
    first = consumer()
    _, outcome = desk.open(first)
    assert (outcome.records, told(outcome)) == ([MailboxAdvanced(1, 5)], {"c": [(5, 1)]})
    assert desk.close(first).records == [MessagesReturned(1, [5])]
    second = consumer("d")
    _, outcome = desk.open(second)
    assert (outcome.records, told(outcome)) == ([], {"d": [(5, 2)]})
    assert desk.acknowledge(second, 5).records == [MessagesRemoved(1, [5]), MessagesDropped([5])]
    assert list(desk.mailbox.entries()) == []
    assert desk.residence.used == 0


def test_acknowledging_twice_is_harmless() -> None:
    """§6.2.11: it is gone and is not delivered again."""
    desk = Desk()
    reader = consumer()
    desk.open(reader)
    desk.put(5)
    desk.acknowledge(reader, 5)
    assert desk.acknowledge(reader, 5) == Outcome(Accepted(), [], [])
    assert told(desk.close(reader)) == {}
    assert told(desk.open(consumer("d"))[1]) == {}


def test_mailbox_that_is_not_durable_records_nothing_but_what_can_be_reclaimed() -> None:
    """Given a spilled message in a mailbox of a non-durable subscription, when it is done with, then it is dropped."""
    desk = Desk(durable=False)
    reader = consumer()
    desk.open(reader)
    assert desk.put(5).records == []
    assert desk.close(reader).records == []
    other = consumer("d")
    assert desk.open(other)[1].records == []
    assert desk.acknowledge(other, 5).records == [MessagesDropped([5])]


def test_message_of_memory_alone_leaves_no_record() -> None:
    desk = Desk()
    reader = consumer()
    desk.open(reader)
    assert desk.put(5, stored=False).records == []
    assert desk.close(reader).records == []
    assert desk.residence.used == 1
    other = consumer("d")
    assert desk.open(other)[1].records == []
    assert desk.acknowledge(other, 5).records == []
    assert desk.residence.used == 0


def test_consumers_that_leave_together_get_nothing_of_each_other_and_give_back_in_order() -> None:
    """Given two consumers with alternate messages, when both leave, then a third gets all in order, counted once."""
    desk = Desk()
    leaving = [consumer("x", number, prefetch=2) for number in (1, 2)]
    for one in leaving:
        desk.open(one)
    desk.put(1, 2, 3, 4, 5)
    desk.open(consumer("y", prefetch=9))
    outcome = desk.close(*leaving)
    assert told(outcome) == {"y": [(1, 2), (2, 2), (3, 2), (4, 2)]}
    assert {number for record in outcome.records if isinstance(record, MessagesReturned) for number in record.ids} == {
        1,
        2,
        3,
        4,
    }


def test_what_a_closing_consumer_does_not_keep_goes_to_others_at_once() -> None:
    """§8.8: it holds what its session works on, and gets nothing more."""
    desk = Desk()
    first, second = consumer(), consumer("d")
    desk.open(first)
    desk.put(5, 6, 7)
    desk.open(second)
    turn = Turn(0)
    desk.mailbox.retain(first, [6, 99], turn)
    outcome = turn.outcome(Accepted())
    assert (outcome.records, told(outcome)) == ([MessagesReturned(1, [5, 7])], {"d": [(5, 2), (7, 2)]})
    assert list(first.held) == [6]
    assert told(desk.put(8, 9)) == {"d": [(8, 1), (9, 1)]}
    assert desk.acknowledge(first, 6).records == [MessagesRemoved(1, [6]), MessagesDropped([6])]
    assert told(desk.put(10)) == {"d": [(10, 1)]}


@pytest.mark.parametrize(
    ("settled", "held", "lost", "removed", "again"),
    [
        ((), (), [], [], [1, 2, 3]),
        ((1, 2, 3), (), [], [1, 2, 3], []),
        ((), (2,), [], [], [1, 3]),
        ((2,), (3, 1), [], [2], []),
        ((1, 1), (1, 2, 2), [1], [1], [3]),
        ((77,), (88,), [88], [], [1, 2, 3]),
    ],
)
def test_coming_back(
    settled: tuple[int, ...], held: tuple[int, ...], lost: list[int], removed: list[int], again: list[int]
) -> None:
    """Given 1, 2, 3 were given back, when their consumer returns, then what it settled is gone."""
    desk = Desk()
    first = consumer()
    desk.open(first)
    desk.put(1, 2, 3)
    desk.close(first)
    found, outcome = desk.open(consumer("d"), settled, held)
    assert found == lost
    assert told(outcome) == ({"d": [(tag, 2) for tag in again]} if again else {})
    gone = [number for record in outcome.records if isinstance(record, MessagesRemoved) for number in record.ids]
    assert gone == removed


def test_settled_is_gone_even_if_another_consumer_has_it() -> None:
    """Promise 2: the old connection of the same client may not have been noticed to be dead."""
    desk = Desk()
    old = consumer("old", prefetch=1)
    desk.open(old)
    desk.put(1, 2)
    lost, outcome = desk.open(consumer("new", prefetch=1), settled=(1,))
    assert lost == []
    assert outcome.records == [MailboxAdvanced(1, 2), MessagesRemoved(1, [1]), MessagesDropped([1])]
    assert told(outcome) == {"old": [(2, 1)]}
    assert told(desk.close(old)) == {"new": [(2, 2)]}


def test_held_is_lost_if_somebody_else_has_or_had_it() -> None:
    """Promise 2: what another consumer acknowledged must not be worked on."""
    desk = Desk()
    other = consumer("other")
    desk.open(other)
    desk.put(1, 2)
    desk.acknowledge(other, 1)
    assert desk.open(consumer("late"), held=(1, 2))[0] == [1, 2]


def test_nothing_is_lost_to_others_where_there_are_none() -> None:
    """A subscription that is not durable is new after a reconnection; what its client has is its own."""
    assert Desk(durable=False, number=3).open(consumer(), held=(1, 2))[0] == []


def test_what_others_of_a_shared_subscription_took_over_is_lost() -> None:
    """One that is not durable but has lived on: what came since it was made went to its other consumers."""
    desk = Desk(durable=False, number=3)
    other = consumer("other")
    desk.open(other)
    desk.put(4)
    assert desk.open(consumer("late"), held=(2, 4))[0] == [4]


def test_expired_message_among_those_given_back_is_not_given_to_who_claims_it() -> None:
    desk = Desk()
    first = consumer()
    desk.open(first)
    desk.put(1, expiration=NOW + 10)
    desk.put(2)
    desk.close(first)
    desk.wake(NOW + 10)
    lost, outcome = desk.open(consumer("d"), held=(1,))
    assert (lost, told(outcome)) == ([1], {"d": [(2, 2)]})
    assert desk.mailbox._expirations.ghosts == 0


def places(desk: Desk) -> Sequence[int]:
    return sorted(entry.id for entry in desk.mailbox.entries())


def test_purge_takes_what_waits_anywhere_and_leaves_what_is_held() -> None:
    """Given waiting, expiring, expired, delayed, doubtful and held messages, when purged, then only the held stay."""
    desk = Desk()
    desk.mailbox.delivered_up_to = 2
    desk.mailbox.restore(desk.entry(1), None, 0, NOW)
    desk.mailbox.restore(desk.entry(2), Past(3), 0, NOW)
    worker = consumer(prefetch=1)
    desk.open(worker, held=(2,))
    desk.put(3)
    desk.put(4, expiration=NOW + 5)
    desk.put(5, expiration=NOW + 50)
    desk.mailbox.put_delayed(desk.entry(6), NOW + 20)
    desk.wake(NOW + 5)
    assert places(desk) == [1, 2, 3, 5, 6]
    turn = Turn(NOW)
    assert desk.mailbox.purge(turn) == 4
    assert places(desk) == [2]
    assert desk.mailbox.pending == 1
    assert desk.wake(NOW + 100) == Outcome(Accepted(), [], [])


def test_counts_are_forgotten_with_the_message() -> None:
    desk = Desk()
    first = consumer()
    desk.open(first)
    desk.put(1)
    records: list[Record] = desk.close(first).records
    assert records == [MessagesReturned(1, [1])]
    assert desk.mailbox._pasts == {1: Past(1)}
    other = consumer("d")
    desk.open(other)
    desk.acknowledge(other, 1)
    assert desk.mailbox._pasts == {}
