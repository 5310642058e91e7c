"""Messages that come again, Jakarta Messaging 3.1 §6.2.10 and §8.7: rows A8, A9, A11, A14 to A20, M19."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.spec import bodies, next_of
from support.waiting import wait_for

from rmimom import (
    AcknowledgeMode,
    Connection,
    IllegalStateError,
    Message,
    Queue,
)

CLIENT = AcknowledgeMode.CLIENT_ACKNOWLEDGE
BY_ITSELF = pytest.mark.parametrize("mode", [AcknowledgeMode.AUTO_ACKNOWLEDGE, AcknowledgeMode.DUPS_OK_ACKNOWLEDGE])


def test_recover(connection: Connection, queue: Queue) -> None:
    """recover begins again with the first message that is not acknowledged, flagged and counted.

    Rows: A9. Assertions: T:129, T:194. Section: 6.2.10.
    """
    session = connection.create_session(CLIENT)
    session.create_sender(queue).send_many(range(4))
    receiver = session.create_receiver(queue)
    next_of(receiver).acknowledge()
    assert bodies(receiver, 2) == [1, 2]
    session.recover()
    again = [next_of(receiver) for _ in range(3)]
    assert [(one.body, one.redelivered, one.delivery_count) for one in again] == [
        (1, True, 2),
        (2, True, 2),
        (3, False, 1),
    ]
    again[-1].acknowledge()


def test_recover_in_a_transaction(connection: Connection) -> None:
    """A transacted session has no recover; rollback is for that.

    Rows: A9, C11. Assertions: T:194, T:171. Section: 6.2.10, 10.3.
    """
    with pytest.raises(IllegalStateError, match="rollback"):
        connection.create_session(transacted=True).recover()


def test_order_when_messages_come_again(connection: Connection, queue: Queue) -> None:
    """Messages that come again come in their old order, and before younger ones of their priority.

    Rows: A14. Section: 6.2.9.
    """
    session = connection.create_session(CLIENT)
    sender = session.create_sender(queue)
    sender.send_many(range(5))
    receiver = session.create_receiver(queue)
    assert bodies(receiver, 3) == [0, 1, 2]
    sender.send(5)
    for _ in range(2):
        session.recover()
        assert bodies(receiver, 4) == [0, 1, 2, 3]
    session.recover()
    assert bodies(receiver, 6) == list(range(6))


def test_order_when_another_consumer_gets_them(connect: Callable[..., Connection], queue: Queue) -> None:
    """What a closed session gives back takes its old place, also for the consumer that comes next.

    Rows: A14. Section: 6.2.9.
    """
    session = connect().create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    session.create_sender(queue).send_many(range(6))
    receiver = session.create_receiver(queue, prefetch=4)
    messages = [next_of(receiver) for _ in range(4)]
    messages[1].acknowledge()
    session.close()
    assert bodies(connect().create_session().create_receiver(queue), 5) == [0, 2, 3, 4, 5]


@BY_ITSELF
def test_a_listener_that_fails_gets_the_message_again(
    mode: AcknowledgeMode, connection: Connection, queue: Queue
) -> None:
    """In AUTO and DUPS_OK the message comes again at once, flagged, before the next one.

    Rows: A11. Section: 8.7.
    """
    heard: list[tuple[object, int]] = []

    def listen(message: Message) -> None:
        heard.append((message.body, message.delivery_count))
        if message.delivery_count < 3 and message.body == "a":
            raise ValueError("not yet")

    connection.create_session().create_sender(queue).send_many(["a", "b"])
    connection.create_session(mode).create_receiver(queue).attach(listen)
    wait_for(lambda: len(heard) == 4)
    assert heard == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]


@BY_ITSELF
def test_a_listener_that_fails_for_ever_comes_to_an_end(mode: AcknowledgeMode, connection: Connection) -> None:
    """The message comes again as often as the destination's policy says, here once, and then the next one follows.

    Rows: A11, A20. Section: 8.7.
    """
    queue = Queue(f"twice.{mode.name}")
    heard: list[object] = []

    def listen(message: Message) -> None:
        heard.append(message.body)
        if message.body == "poison":
            raise ValueError("never")

    looking = connection.create_session()
    looking.create_sender(queue).send_many(["poison", "food"])
    connection.create_session(mode).create_receiver(queue).attach(listen)
    wait_for(lambda: "food" in heard)
    assert heard == ["poison", "poison", "food"]
    assert next_of(looking.create_receiver(Queue(f"DLQ.{queue.name}"))).body == "poison"


@pytest.mark.parametrize("transacted", [False, True])
def test_a_listener_that_fails_without_auto_gets_the_next(
    transacted: bool, connection: Connection, queue: Queue
) -> None:
    """In CLIENT_ACKNOWLEDGE and in a transaction the next message follows; the failed one comes again when asked for.

    Rows: A11. Section: 8.7.
    """
    heard: list[tuple[object, int]] = []
    session = connection.create_session(CLIENT, transacted=transacted)

    def listen(message: Message) -> None:
        heard.append((message.body, message.delivery_count))
        if len(heard) == 1:
            raise ValueError("never mind")
        if len(heard) == 2:
            session.rollback() if transacted else session.recover()

    connection.create_session().create_sender(queue).send_many(["a", "b"])
    session.create_receiver(queue).attach(listen)
    wait_for(lambda: len(heard) == 4)
    assert heard == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_nack(connection: Connection, queue: Queue) -> None:
    """nack gives one message back, which comes again flagged and at its place.

    Rows: A8. Section: 6.2.10.
    """
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    session.create_sender(queue).send_many(["a", "b", "c"])
    receiver = session.create_receiver(queue)
    next_of(receiver).nack("not today")
    again = next_of(receiver)
    assert (again.body, again.delivery_count) == ("a", 2)
    again.acknowledge()
    with pytest.raises(IllegalStateError, match="acknowledged or given back already"):
        again.nack()
    assert bodies(receiver, 2) == ["b", "c"]


def test_nack_with_a_delay(connection: Connection, queue: Queue) -> None:
    """nack with a delay lets others go first.

    Rows: A8, A15. Section: 6.2.10.
    """
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    session.create_sender(queue).send_many(["a", "b"])
    receiver = session.create_receiver(queue)
    next_of(receiver).nack(delay=0.05)
    assert bodies(receiver, 2) == ["b", "a"]


def test_a_dead_letter(connection: Connection, queue: Queue) -> None:
    """A message that failed for good waits in the dead letter queue, with reason, origin, count and time.

    Rows: A8, A16. Section: 6.2.10.
    """
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    session.create_sender(queue).send("a", properties={"customer": "Rossi"})
    next_of(session.create_receiver(queue)).nack("no such article", dead=True)
    letter = next_of(session.create_receiver(Queue(f"DLQ.{queue.name}")))
    assert (letter.body, letter.destination) == ("a", queue)
    assert letter.properties["customer"] == "Rossi"
    assert letter.properties["JMS_rmimom_dead_reason"] == "no such article"
    assert letter.properties["JMS_rmimom_original_destination"] == str(queue)
    assert letter.properties["JMS_rmimom_failures"] == 1
    assert isinstance(letter.properties["JMS_rmimom_dead_at"], int)


def test_a_message_that_fails_each_time_ends(connection: Connection) -> None:
    """After the last redelivery that the policy allows a message is a dead letter; the others go on.

    Rows: A15, A16, A20. Section: 6.2.10.
    """
    queue = Queue("twice.poison")
    session = connection.create_session(CLIENT)
    session.create_sender(queue).send("poison")
    receiver = session.create_receiver(queue)
    for count in (1, 2):
        assert next_of(receiver).delivery_count == count
        session.recover()
    session.create_sender(queue).send("food")
    assert next_of(receiver).body == "food"
    letter = next_of(session.create_receiver(Queue("DLQ.twice.poison")))
    assert (letter.body, letter.properties["JMS_rmimom_failures"]) == ("poison", 2)


def test_redelivery_as_the_sender_says(connection: Connection, queue: Queue) -> None:
    """The sender says how often its message comes again and after what delay; the policy of the queue holds for others.

    Rows: A15, A20. Section: 6.2.10.
    """
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send("hasty", properties={"JMS_rmimom_max_redeliveries": 1, "JMS_rmimom_redelivery_delay": 20})
    for count in (1, 2):
        failed = next_of(receiver)
        assert (failed.properties["JMS_rmimom_max_redeliveries"], failed.delivery_count) == (1, count)
        failed.nack("not today")
    sender.send("patient")
    for _ in range(2):
        next_of(receiver).nack()
    letter = next_of(session.create_receiver(Queue(f"DLQ.{queue.name}")))
    assert (letter.body, letter.properties["JMS_rmimom_failures"]) == ("hasty", 2)
    assert (letter.properties["JMS_rmimom_dead_reason"], next_of(receiver).delivery_count) == ("not today", 3)


def test_delays_that_grow(connection: Connection) -> None:
    """With a policy of growing delays the failed message comes later each time, and others before it.

    Rows: A15. Section: 6.2.10.
    """
    queue = Queue("later.work")
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send("failing")
    for count in (1, 2, 3):
        message = next_of(receiver)
        assert (message.body, message.delivery_count) == ("failing", count)
        sender.send("other")
        message.nack("again")
        other = next_of(receiver)
        assert other.body == "other"
        other.acknowledge()
    assert next_of(receiver).delivery_count == 4


def test_expiry_queue(connection: Connection) -> None:
    """Where the policy names an expiry queue, expired messages go there, with the reason.

    Rows: A17. Section: 3.4.9.
    """
    session = connection.create_session()
    session.create_sender(Queue("expiring.news")).send("old", time_to_live=0.001)
    letter = next_of(session.create_receiver(Queue("EXPIRED.expiring.news")))
    assert (letter.body, letter.properties["JMS_rmimom_dead_reason"]) == ("old", "expired")
