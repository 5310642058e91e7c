"""The inbox: messages waiting, worked on, acknowledged, delivered again; without threads or sockets."""

from __future__ import annotations

import msgspec
import pytest

from rmimom.client.inbox import Inbox, Intake
from rmimom.client.outbox import Outbox
from rmimom.errors import InvalidDestinationError
from rmimom.frame import ConsumerEnd, Delivered, DeliveryBatch, decode_deliveries, encode
from rmimom.kinds import BytesMessage, MapMessage, ObjectMessage, StreamMessage, TextMessage
from rmimom.message import Message
from rmimom.outgoing import make_frame


class Nobody:
    def acknowledge(self, message: Message) -> None:
        """Never called here."""


def delivered(tag: int, *consumers: int, count: int = 1) -> Delivered:
    body = f"body {tag}".encode()
    frame = make_frame("queue://q", f"ID:{tag}", 0, 1, body)
    return Delivered(tag, list(consumers), [count] * len(consumers), msgspec.Raw(encode(frame)))


def batch(sequence: int, *messages: Delivered, closed: list[ConsumerEnd] | None = None) -> DeliveryBatch:
    return decode_deliveries(encode(DeliveryBatch(sequence, list(messages), closed or [])))


@pytest.fixture
def inbox() -> Inbox:
    made = Inbox()
    outbox = Outbox()
    for number in (1, 2):
        made.intakes[number] = Intake(number, outbox.acks(number), Nobody())
    return made


def tags(intake: Intake) -> list[int]:
    return [message._tag for message in intake.waiting]


def test_messages_go_to_their_consumers_in_order(inbox: Inbox) -> None:
    touched = inbox.accept(batch(1, delivered(5, 1), delivered(6, 2, 1, count=3), delivered(7, 1)))
    assert [intake.number for intake in touched] == [1, 2]
    assert tags(inbox.intakes[1]) == [5, 6, 7]
    assert tags(inbox.intakes[2]) == [6]
    first, second = list(inbox.intakes[1].waiting)[:2]
    assert (first.body, first.delivery_count, first.redelivered) == ("body 5", 1, False)
    assert (second.body, second.delivery_count, second.redelivered) == ("body 6", 3, True)


def test_messages_are_of_the_class_of_their_kind(inbox: Inbox) -> None:
    """§3.11.4; also where a foreign encoder wrote the array in a longer form, and for what is no frame at all."""
    kinds = (Message, TextMessage, BytesMessage, MapMessage, StreamMessage, ObjectMessage)
    frames = [encode(make_frame("queue://q", "ID:1", 0, kind, b"")) for kind in range(6)]
    longer = b"\xdc\x00\x0f" + frames[1][1:]
    odd = [encode([9, 1]), encode(None), encode([1])]
    everything = [*frames, longer, *odd]
    inbox.accept(batch(1, *(Delivered(tag, [1], [1], msgspec.Raw(data)) for tag, data in enumerate(everything, 1))))
    found = [type(message) for message in inbox.intakes[1].waiting]
    assert found == [*kinds, TextMessage, Message, Message, TextMessage]
    while inbox.intakes[1].take() is not None:
        pass
    inbox.intakes[1].recover()
    assert [type(message) for message in inbox.intakes[1].waiting][:7] == found[:7]


def test_a_batch_that_comes_twice_is_taken_once(inbox: Inbox) -> None:
    inbox.accept(batch(1, delivered(5, 1)))
    assert inbox.accept(batch(1, delivered(5, 1))) == []
    assert tags(inbox.intakes[1]) == [5]
    inbox.restart()
    inbox.accept(batch(1, delivered(6, 1)))
    assert tags(inbox.intakes[1]) == [5, 6]


def test_messages_for_a_closed_consumer_are_passed_over(inbox: Inbox) -> None:
    assert inbox.accept(batch(1, delivered(5, 9))) == []


def test_the_server_closes_a_consumer(inbox: Inbox) -> None:
    error = InvalidDestinationError("the queue was deleted").to_dict()
    [touched] = inbox.accept(batch(1, closed=[ConsumerEnd(2, error), ConsumerEnd(9, error)]))
    assert touched is inbox.intakes[2]
    assert isinstance(touched.error, InvalidDestinationError)


def test_taking_for_good_acknowledges(inbox: Inbox) -> None:
    inbox.accept(batch(1, delivered(5, 1), delivered(6, 1)))
    intake = inbox.intakes[1]
    message = intake.take_for_good()
    assert message is not None
    assert message._tag == 5
    assert list(intake.acks.pending) == [5]
    assert intake.held() == [6]


def test_taking_keeps_until_acknowledged(inbox: Inbox) -> None:
    inbox.accept(batch(1, *(delivered(tag, 1) for tag in (5, 6, 7))))
    intake = inbox.intakes[1]
    intake.take()
    intake.take()
    assert intake.held() == [5, 6, 7]
    assert intake.acknowledge(6)
    assert not intake.acknowledge(6)
    assert not intake.acknowledge(7)
    assert intake.acknowledge_all()
    assert not intake.acknowledge_all()
    assert list(intake.acks.pending) == [6, 5]
    assert intake.held() == [7]


def test_what_a_consumer_that_closes_keeps(inbox: Inbox) -> None:
    """Also those whose acknowledgement has not arrived: the server would give them to others, and they are done."""
    inbox.accept(batch(1, *(delivered(tag, 1) for tag in (5, 6, 7, 8))))
    intake = inbox.intakes[1]
    for _ in range(3):
        intake.take()
    intake.acknowledge(5)
    assert intake.acks.unsettled() == [5]  # under way from now on
    intake.acknowledge(6)
    assert intake.kept() == [5, 6, 7]


def test_nothing_to_take(inbox: Inbox) -> None:
    assert inbox.intakes[1].take() is None
    assert inbox.intakes[1].take_for_good() is None


def test_recover_delivers_again_in_order_as_it_came(inbox: Inbox) -> None:
    """§6.2.10: restart at the first message not acknowledged; §3.10: as sent, whatever the client changed."""
    inbox.accept(batch(1, *(delivered(tag, 1) for tag in (5, 6, 7))))
    intake = inbox.intakes[1]
    first = intake.take()
    intake.take()
    assert first is not None
    first.clear_body()
    first.clear_properties()
    first.body = "changed"
    assert intake.recover() == 2
    assert tags(intake) == [5, 6, 7]
    again = list(intake.waiting)
    assert [message.body for message in again] == ["body 5", "body 6", "body 7"]
    assert [message.delivery_count for message in again] == [2, 2, 1]
    assert [message.redelivered for message in again] == [True, True, False]


def test_recover_some(inbox: Inbox) -> None:
    inbox.accept(batch(1, *(delivered(tag, 1) for tag in (5, 6, 7))))
    intake = inbox.intakes[1]
    intake.take()
    intake.take()
    assert intake.recover([6, 99]) == 1
    assert tags(intake) == [6, 7]
    assert list(intake.working) == [5]


def test_handing_back_forgets(inbox: Inbox) -> None:
    inbox.accept(batch(1, delivered(5, 1), delivered(6, 1)))
    intake = inbox.intakes[1]
    intake.take()
    assert intake.hand_back([5, 6]) == [5]
    assert intake.held() == [6]


def test_what_others_have_meanwhile_disappears(inbox: Inbox) -> None:
    inbox.accept(batch(1, *(delivered(tag, 1) for tag in (5, 6, 7, 8))))
    intake = inbox.intakes[1]
    intake.take()
    intake.take()
    intake.drop([5, 8])
    assert intake.held() == [6, 7]
    intake.drop([])
    assert intake.held() == [6, 7]
