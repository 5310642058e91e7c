"""Where entries stand while no consumer has them (rmimom/core/shelf.py)."""

from __future__ import annotations

from support.desk import NOW, Desk, consumer, told

from rmimom.core.past import Past
from rmimom.effects import Accepted, Outcome
from rmimom.records import MailboxAdvanced, MessagesDropped, MessagesRemoved, MessagesReturned


def test_mailbox_in_doubt_delivers_nothing_until_the_doubt_ends() -> None:
    """Rule 4: nothing younger may overtake what somebody may still work on."""
    desk = Desk()
    desk.mailbox.delivered_up_to = 2
    for number, count in [(1, 0), (2, 4), (3, 0)]:
        desk.mailbox.restore(desk.entry(number), Past(count), 0, NOW)
    desk.mailbox.doubt_until(NOW + 500)
    _, outcome = desk.open(consumer())
    assert told(outcome) == {}
    assert told(desk.put(4)) == {}
    assert desk.wake(NOW + 499) == Outcome(Accepted(), [], [])
    outcome = desk.wake(NOW + 500)
    assert told(outcome) == {"c": [(1, 2), (2, 6), (3, 1), (4, 1)]}
    assert outcome.records == [MessagesReturned(1, [1, 2]), MailboxAdvanced(1, 4)]


def test_doubt_ends_in_time_even_if_something_else_is_due_before() -> None:
    desk = Desk()
    desk.mailbox.delivered_up_to = 1
    desk.mailbox.restore(desk.entry(1), None, 0, NOW)
    desk.mailbox.restore(desk.entry(2), None, NOW + 100, NOW)
    desk.mailbox.doubt_until(NOW + 500)
    desk.open(consumer())
    assert told(desk.wake(NOW + 100)) == {}
    assert told(desk.wake(NOW + 500)) == {"c": [(1, 2), (2, 1)]}


def test_message_in_doubt_expires_when_the_doubt_ends() -> None:
    desk = Desk()
    desk.mailbox.delivered_up_to = 1
    desk.mailbox.restore(desk.entry(1, expiration=NOW + 5), None, 0, NOW)
    desk.mailbox.doubt_until(NOW + 500)
    desk.open(consumer())
    outcome = desk.wake(NOW + 500)
    assert told(outcome) == {}
    assert outcome.records[-1] == MessagesDropped([1])
    assert desk.mailbox.expired == 1


def test_expired_message_behind_others_goes_at_its_time() -> None:
    """TTL is checked by an index, not only at the head of the queue."""
    desk = Desk()
    desk.put(1)
    desk.put(2, expiration=NOW + 10)
    assert desk.wake(NOW + 9).records == []
    assert desk.wake(NOW + 10).records == [MessagesRemoved(1, [2]), MessagesDropped([2])]
    assert (desk.mailbox.waiting, desk.mailbox.expired) == (1, 1)
    assert told(desk.open(consumer())[1]) == {"c": [(1, 1)]}


def test_expired_messages_do_not_pile_up_in_an_idle_queue() -> None:
    """Given 3000 messages of which most expire, when they do, then they leave memory although nobody comes for them."""
    desk = Desk()
    desk.put(1)
    desk.put(*range(2, 3000), expiration=NOW + 10)
    desk.put(3000, expiration=NOW + 20)
    desk.wake(NOW + 10)
    assert len(desk.mailbox._ready) == 2
    assert told(desk.open(consumer())[1]) == {"c": [(1, 1), (3000, 1)]}


def test_memory_does_not_grow_with_the_flow_of_messages_that_may_expire() -> None:
    """Given a fast consumer, when 20 000 messages with a time to live flow, then next to nothing is left to watch."""
    desk = Desk()
    reader = consumer()
    desk.open(reader)
    for number in range(1, 20_001):
        desk.put(number, expiration=NOW + 3_600_000 + number)
        desk.acknowledge(reader, number)
    assert len(desk.mailbox._expirations._heap) < 2000
    assert len(desk.agenda._heap) == 1
    assert desk.wake(NOW + 3_600_001).records == []
    assert desk.agenda.next() is None or len(desk.agenda._heap) == 1


def test_delayed_message_takes_its_place_by_age() -> None:
    """§7.9: never earlier than its delivery time, then in the order of sending."""
    desk = Desk()
    desk.mailbox.put_delayed(desk.entry(1), NOW + 50)
    desk.mailbox.put_delayed(desk.entry(2), NOW + 10)
    desk.put(3)
    desk.wake(NOW + 10)
    assert [entry.id for entry in desk.mailbox._ready] == [2, 3]
    desk.wake(NOW + 49)
    assert [entry.id for entry in desk.mailbox._ready] == [2, 3]
    desk.wake(NOW + 50)
    assert [entry.id for entry in desk.mailbox._ready] == [1, 2, 3]
