"""StreamMessage (Jakarta Messaging 3.1 §3.11.3)."""

from __future__ import annotations

import pytest
from support.received import received

from rmimom.errors import MessageEOFError, MessageFormatError, MessageNotReadableError, MessageNotWriteableError
from rmimom.kinds import StreamMessage
from rmimom.values import Byte, Char, Float, Int, Short

WRITTEN: dict[str, tuple[object, type]] = {
    "boolean": (True, bool),
    "byte": (5, Byte),
    "short": (5, Short),
    "char": ("5", Char),
    "int": (5, Int),
    "long": (5, int),
    "float": (0.5, Float),
    "double": (0.5, float),
    "string": ("5", str),
    "bytes": (b"5", bytes),
}


def read(*fields: object) -> StreamMessage:
    """A received message with these fields."""
    return received(StreamMessage(list(fields)))


@pytest.mark.parametrize("kind", WRITTEN)
def test_write_and_read(kind: str) -> None:
    value, made = WRITTEN[kind]
    message = StreamMessage()
    getattr(message, f"write_{kind}")(value)
    message.write_object(value)  # type: ignore[arg-type]
    got = received(message)
    assert isinstance(got, StreamMessage)
    assert getattr(got, f"read_{kind}")() == value
    assert got.read_object() == value
    got.reset()
    assert type(got.read_object()) is made
    with pytest.raises(MessageNotReadableError):
        message.read_object()
    message.reset()
    assert getattr(message, f"read_{kind}")() == value
    with pytest.raises(MessageNotWriteableError):
        getattr(message, f"write_{kind}")(value)


def test_the_end() -> None:
    got = read(1)
    got.read_long()
    for _ in range(2):
        with pytest.raises(MessageEOFError, match="has 1 fields, and all of them were read"):
            got.read_object()
    got.reset()
    assert got.read_long() == 1


def test_a_failed_read_does_not_advance() -> None:
    """§3.11.3, for each way to fail."""
    got = read("many", None, 5)
    with pytest.raises(ValueError, match="field 0 is 'many'"):
        got.read_int()
    with pytest.raises(MessageFormatError, match="field 0 is of the type string, which cannot be read as bytes"):
        got.read_bytes()
    assert got.read_string() == "many"
    with pytest.raises(TypeError):
        got.read_char()
    with pytest.raises(ValueError, match="null"):
        got.read_long()
    assert got.read_boolean() is False
    with pytest.raises(MessageFormatError, match="field 2 is of the type long, which cannot be read as short"):
        got.read_short()
    assert got.read_long() == 5


def test_bytes_in_parts() -> None:
    """A part shorter than asked for is the last; behind a full one None may come."""
    got = read(b"abcd", b"abc", b"", None, b"ab", 7)
    assert [got.read_bytes(2) for _ in range(3)] == [b"ab", b"cd", None]
    assert [got.read_bytes(2) for _ in range(2)] == [b"ab", b"c"]
    assert got.read_bytes(2) == b""
    assert got.read_bytes(2) is None
    assert got.read_bytes(1) == b"a"
    for other in (got.read_object, got.read_string):
        with pytest.raises(MessageFormatError, match="field 4 holds bytes that are not read to their end"):
            other()
    assert got.read_bytes() == b"b"
    assert got.read_long() == 7


def test_reset_and_clear() -> None:
    got = read(1, 2)
    with pytest.raises(MessageNotWriteableError):
        got.body.append(3)
    got.read_long()
    got.clear_body()
    with pytest.raises(MessageNotReadableError, match="call reset"):
        got.read_long()
    got.write_string("new")
    got.reset()
    assert got.read_string() == "new"
    with pytest.raises(MessageNotWriteableError):
        got.body.append(3)


def test_a_message_sent_can_be_written_on() -> None:
    """§3.9: what was sent stays as it was."""
    message = StreamMessage([1])
    first = received(message)
    message.write_long(2)
    assert (first.body, received(message).body) == ([1], [1, 2])


def test_fields_that_cannot_be() -> None:
    with pytest.raises(MessageFormatError, match="field 1 cannot be of the type list"):
        StreamMessage([1, []])
    with pytest.raises(MessageFormatError, match="field 0 is to be of the type int"):
        StreamMessage().write_int("5")  # type: ignore[arg-type]
    with pytest.raises(MessageFormatError, match="must be a list"):
        StreamMessage({"a": 1})
