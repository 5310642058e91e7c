"""Queues and topics: which mailboxes get what is sent."""

from __future__ import annotations

from rmimom.core.agenda import Agenda
from rmimom.core.consumer import Consumer
from rmimom.core.mailbox import Mailbox
from rmimom.core.place import QueuePlace, TopicPlace
from rmimom.core.residence import Residence
from rmimom.core.subscription import Subscription
from rmimom.core.turn import Turn
from rmimom.destination import Queue, Topic


def mailbox(number: int) -> Mailbox:
    return Mailbox(number, False, Residence(), Agenda(), Queue("q"))


def test_queue_has_one_mailbox_for_everybody() -> None:
    place = QueuePlace(1, Queue("q"), 0, mailbox(1))
    assert place.mailboxes() == [place.mailbox]
    assert place.audience("c", "laptop") == [(place.mailbox, None)]
    assert not place.has_consumers
    place.mailbox.open(Consumer("c", 1, 1, 1), (), (), Turn(0))
    assert place.has_consumers


def test_topic_has_one_for_each_subscription_and_leaves_out_no_local_ones() -> None:
    place = TopicPlace(1, Topic("t"), 0)
    usual, no_local = Subscription(2, 1, mailbox(2)), Subscription(3, 1, mailbox(3), no_local=True)
    usual.connection = no_local.connection = "c"
    place.subscriptions = {2: usual, 3: no_local}
    assert [mailbox for mailbox, _ in place.audience("c", "")] == [usual.mailbox]
    assert [mailbox for mailbox, _ in place.audience("d", "")] == [usual.mailbox, no_local.mailbox]
    assert not place.has_consumers
    no_local.mailbox.open(Consumer("c", 1, 1, 1), (), (), Turn(0))
    assert place.has_consumers


def test_topic_keeps_the_counts_of_a_subscription_that_is_gone() -> None:
    place = TopicPlace(1, Topic("t"), 0)
    subscription = Subscription(2, 1, mailbox(2))
    place.subscriptions[2] = subscription
    subscription.mailbox.dequeued, subscription.mailbox.expired = 5, 3
    place.remove(subscription)
    assert (place.mailboxes(), place.dequeued, place.expired) == ([], 5, 3)
