"""The message: headers, properties, body; read late, plain for others (Jakarta Messaging 3.1 §3)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom import frame
from rmimom.destination import Queue, Topic
from rmimom.errors import IllegalStateError, InvalidDestinationError, MessageFormatError
from rmimom.message import Message, milliseconds
from rmimom.values import Byte, Char, Float

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


def test_plain_data_and_back() -> None:
    message = Message({"a": Float(0.5), "b": Char("x")}, properties={"n": Byte(1)}, reply_to=Queue("answers"))
    plain = received(message).to_dict()
    assert plain == {
        "body": {"a": 0.5, "b": "x"},
        "kind": "map",
        "properties": {"n": 1},
        "priority": 4,
        "persistent": True,
        "correlation_id": None,
        "reply_to": "queue://answers",
        "type": None,
        "message_id": "ID:1",
        "timestamp": NOW,
        "expiration": 0,
        "destination": "topic://quakes",
        "redelivered": False,
        "delivery_count": 1,
    }
    assert type(plain["body"]["a"]) is float  # type: ignore[index]
    assert type(plain["properties"]["n"]) is int  # type: ignore[index]
    again = Message.from_dict(plain)
    assert again.body == {"a": 0.5, "b": "x"}
    assert again.reply_to == Queue("answers")
    assert again.message_id is None


def test_a_plain_message_needs_only_a_body() -> None:
    message = Message.from_dict({"body": "x"})
    assert (message.body, message.priority, message.persistent, message.time_to_live) == ("x", 4, True, 0)


def test_a_plain_message_with_everything() -> None:
    message = Message.from_dict(
        {
            "body": [1],
            "properties": {"a": 1},
            "priority": 0,
            "persistent": False,
            "time_to_live": 0.25,
            "correlation_id": "c",
            "reply_to": "topic://t",
            "type": "t",
        }
    )
    sent = message.to_frame("queue://q", message_id="ID:1", now=NOW)
    assert (sent.kind, sent.mode, sent.priority, sent.expiration) == (frame.STREAM, 1, 0, NOW + 250)
    assert (sent.correlation_id, sent.reply_to, sent.type) == ("c", "topic://t", "t")


def test_bytes_as_serpent_carries_them() -> None:
    assert Message.from_dict({"body": {"data": "AAEC", "encoding": "base64"}}).body == b"\0\1\2"
    for other in ({"data": 5, "encoding": "base64"}, {"data": "not so", "encoding": "base64"}):
        assert Message.from_dict({"body": other}).body == other


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("text", "must be a dict"),
        ({}, "no entry 'body'"),
        ({"body": "x", "prio": 1}, "no entry 'prio'"),
        ({"body": "x", "priority": 10}, "from 0 to 9"),
        ({"body": "x", "priority": True}, "it must be an int"),
        ({"body": "x", "priority": "4"}, "it must be an int"),
        ({"body": "x", "persistent": 1}, "it must be True or False"),
        ({"body": "x", "time_to_live": -1}, "0 or more"),
        ({"body": "x", "time_to_live": "5"}, "a number of seconds"),
        ({"body": "x", "properties": []}, "it must be a dict"),
        ({"body": "x", "correlation_id": 5}, "it must be a str"),
        ({"body": "x", "kind": "novel"}, "no kind of message"),
    ],
)
def test_malformed_plain_messages(data: object, complaint: str) -> None:
    with pytest.raises(MessageFormatError) as caught:
        Message.from_dict(data)
    assert complaint in str(caught.value)


def test_a_bad_reply_to() -> None:
    with pytest.raises(InvalidDestinationError):
        Message.from_dict({"body": "x", "reply_to": "answers"})


@given(
    st.dictionaries(
        st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())
    )
)
def test_any_dict_is_a_message_or_a_clear_error(data: dict[str, object]) -> None:
    try:
        message = Message.from_dict({"body": None, **data})
        message.to_frame("queue://q", message_id="ID:1", now=NOW)
    except (MessageFormatError, InvalidDestinationError):
        pass


@pytest.mark.parametrize(
    ("duration", "expected"), [(None, 0), (0, 0), (1, 1000), (0.0001, 1), (1.5, 1500), (timedelta(minutes=1), 60_000)]
)
def test_durations_are_seconds(duration: float | timedelta | None, expected: int) -> None:
    assert milliseconds(duration, "time_to_live") == expected


@pytest.mark.parametrize("duration", [-1, float("nan"), float("inf"), "x", 1e300, timedelta(days=-1)])
def test_durations_that_cannot_be(duration: float) -> None:
    with pytest.raises(MessageFormatError, match="time_to_live is"):
        milliseconds(duration, "time_to_live")
