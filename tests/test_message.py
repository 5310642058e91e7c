"""The message: headers, properties, body; read late, plain for others (Jakarta Messaging 3.1 §3)."""

from __future__ import annotations

import msgspec
import pytest

from rmimom import frame
from rmimom.destination import Queue, Topic
from rmimom.errors import IllegalStateError, MessageFormatError, MessageNotWriteableError
from rmimom.kinds import BytesMessage, MapMessage, ObjectMessage, StreamMessage, TextMessage
from rmimom.message import Message
from rmimom.note import Note, encode_note
from rmimom.values import Byte

NOW = 1_700_000_000_000


def received(message: Message, *, count: int = 1) -> Message:
    """The message as its receiver gets it."""
    sent = message.to_frame(Topic("quakes"), message_id="ID:1", now=NOW)
    return Message.from_frame(msgspec.Raw(frame.encode(sent)), tag=7, delivery_count=count)


def test_a_message_arrives_with_all_it_had() -> None:
    message = Message(
        {"magnitude": 5.1},
        properties={"place": "Alaska", "depth": Byte(10)},
        correlation_id="c",
        reply_to="queue://answers",
        type="quake",
    )
    message.priority = 7
    message.time_to_live = 2.5
    got = received(message, count=2)
    assert got.body == {"magnitude": 5.1}
    assert got.kind == "map"
    assert got.properties == {"place": "Alaska", "depth": 10}
    assert type(got.properties["depth"]) is Byte
    assert (got.correlation_id, got.reply_to, got.type) == ("c", Queue("answers"), "quake")
    assert (got.priority, got.timestamp, got.expiration, got.delivery_time) == (7, NOW, NOW + 2500, 0)
    assert (got.destination, got.message_id) == (Topic("quakes"), "ID:1")
    assert got.persistent
    assert got.delivery_mode == frame.PERSISTENT
    assert got.redelivered
    assert got.delivery_count == 2


@pytest.mark.parametrize("name", ["body", "properties", "destination", "kind", "priority", "message_id", "expiration"])
def test_anything_may_be_asked_for_first(name: str) -> None:
    """Whatever is read first, the rest is there afterwards."""
    got = received(Message("text", properties={"a": 1}))
    first = getattr(got, name)
    assert got.body == "text"
    assert got.properties == {"a": 1}
    assert got.destination == Topic("quakes")
    assert getattr(got, name) == first


def test_a_header_that_was_set_stays_so_whatever_is_read_after() -> None:
    got = received(Message("text", correlation_id="c"))
    got.message_id = "ID:mine"
    got.priority = 9
    assert (got.correlation_id, got.message_id, got.priority, got.kind) == ("c", "ID:mine", 9, "text")


def test_creating_a_received_message_reads_nothing() -> None:
    message = Message.from_frame(b"this is no frame")
    with pytest.raises(MessageFormatError, match="not a message frame"):
        _ = message.priority
    with pytest.raises(MessageFormatError):
        _ = message.body
    assert "unreadable" in repr(message)


def test_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="prioritty"):
        _ = received(Message("x")).prioritty  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Message("x").prioritty = 1  # type: ignore[attr-defined]


def test_delay_and_time_to_live_count_from_the_send() -> None:
    """§3.4.9 and §3.4.13."""
    message = Message("x")
    message.time_to_live = 60
    sent = message.to_frame("queue://q", message_id="ID:1", now=NOW, delay=1.5)
    assert (sent.expiration, sent.delivery_time) == (NOW + 60_000, NOW + 1500)


def test_repr_shows_what_is_unusual() -> None:
    message = Message("x" * 100, properties={"a": 1})
    message.priority = 9
    assert repr(message) == f"<Message text '{'x' * 56}... priority=9 properties={{'a': 1}}>"
    assert repr(received(Message(b"y"))) == "<BytesMessage b'y' destination='topic://quakes' message_id='ID:1'>"


def test_only_a_received_message_can_be_acknowledged() -> None:
    with pytest.raises(IllegalStateError, match="not received"):
        Message("x").acknowledge()

    class Acknowledger:
        def __init__(self) -> None:
            self.got: list[Message] = []

        def acknowledge(self, message: Message) -> None:
            self.got.append(message)

    acknowledger = Acknowledger()
    message = Message.from_frame(b"", acknowledger=acknowledger)
    message.acknowledge()
    assert acknowledger.got == [message]


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (None, Message),
        ("x", TextMessage),
        (b"x", BytesMessage),
        ({"a": 1}, MapMessage),
        ([1], StreamMessage),
        ({"a": [1]}, ObjectMessage),
    ],
)
def test_a_message_arrives_as_the_class_of_its_kind(body: object, made: type[Message]) -> None:
    """§3.11.4, and as the one of a derived class with methods of its own."""

    class Special(Message):
        __slots__ = ()

        def special(self) -> object:
            return self.body

    sent = Message(body).to_frame("queue://q", message_id="ID:1", now=NOW)
    assert type(Message.from_frame(sent)) is type(Message.from_frame(frame.encode(sent))) is made
    special = Special.from_frame(frame.encode(sent))
    assert isinstance(special, Special)
    assert isinstance(special, made)
    assert special.special() == body
    assert type(Special.from_frame(sent)) is type(special)


def test_foreign_encoders_may_write_longer_forms() -> None:
    """An array of MessagePack may begin with a length of two bytes."""
    data = frame.encode(Message("x").to_frame("queue://q", message_id="ID:1", now=NOW))
    longer = b"\xdc\x00" + bytes([data[0] & 0x0F]) + data[1:]
    assert type(Message.from_frame(longer)) is TextMessage
    assert Message.from_frame(longer).body == "x"


@pytest.mark.parametrize(
    ("body", "classes"),
    [
        ("x", {str, object}),
        (b"x", {bytes, object}),
        ({"a": 1}, {dict, object}),
        ([1], {list, object}),
        ({"a": [1]}, {dict, object}),
        (5, {int, object}),
        (None, {str, bytes, dict, list, int, object}),
    ],
)
def test_the_body_as_a_class(body: object, classes: set[type]) -> None:
    """getBody and isBodyAssignableTo of Message."""
    got = received(Message(body))
    for wanted in (str, bytes, dict, list, int, object):
        assert got.is_body_assignable_to(wanted) is (wanted in classes)
        if wanted in classes:
            assert got.body_as(wanted) == body
        else:
            with pytest.raises(MessageFormatError, match=f"not a {wanted.__name__}$"):
                got.body_as(wanted)
    copy = got.body_as(object)
    if isinstance(copy, dict):
        copy["b"] = 1
        assert got.body == body


def test_a_received_body_is_read_only() -> None:
    """§3.11.2, also within; clearing it leaves the properties read-only and as they were (§3.11.1)."""
    got = received(Message({"a": [1]}, properties={"p": 1}))
    for change in (lambda: setattr(got, "body", 1), got.body.clear, lambda: got.body["a"].append(2)):
        with pytest.raises(MessageNotWriteableError):
            change()
    assert got.body == {"a": [1]}
    got.clear_body()
    assert (got.body, got.properties) == (None, {"p": 1})
    with pytest.raises(MessageNotWriteableError, match="clear_properties"):
        got.properties = {}


def test_a_body_is_copied_in() -> None:
    """§3.12."""
    body = {"a": [1]}
    message = Message(body)
    body["a"].append(2)
    assert message.body == {"a": [1]}
    message.body["a"].append(3)
    assert message.body == {"a": [1, 3]}


def test_a_received_message_is_sent_on_without_what_the_provider_set() -> None:
    sent = Message("x", properties={"p": 1, "JMSXGroupID": "g"}).to_frame("queue://q", message_id="ID:1", now=NOW)
    note = encode_note(Note(original_destination="queue://q", reason="r", failures=1, dead_at=1))
    got = Message.from_frame(sent, note=note)
    assert got.properties["JMS_rmimom_dead_reason"] == "r"
    assert received(got).properties == {"p": 1, "JMSXGroupID": "g"}
