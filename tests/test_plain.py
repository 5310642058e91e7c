"""Messages as plain dicts, for Pyro5 programs without this library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.received import received

from rmimom import frame
from rmimom.destination import Queue
from rmimom.errors import InvalidDestinationError, MessageFormatError
from rmimom.message import Message
from rmimom.values import Byte, Char, Float

NOW = 1_700_000_000_000


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
        "destination": "queue://q",
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


def test_read_only_data_become_plain() -> None:
    """What serpent is given is of built-in types, also within."""
    body = received(Message({"a": [{"b": 1}]})).to_dict()["body"]
    assert type(body) is dict
    assert type(body["a"]) is list
    assert type(body["a"][0]) is dict
