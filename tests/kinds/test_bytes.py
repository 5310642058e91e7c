"""BytesMessage (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.received import received

from rmimom.errors import MessageEOFError, MessageFormatError, MessageNotReadableError, MessageNotWriteableError
from rmimom.kinds import BytesMessage
from rmimom.values import Byte, Char, Float, Int, Short

# Name of the writer and reader, value, bytes as Java's DataOutput writes them.
FORMS: list[tuple[str, Any, bytes]] = [
    ("boolean", True, b"\1"),
    ("boolean", False, b"\0"),
    ("byte", -1, b"\xff"),
    ("short", -2, b"\xff\xfe"),
    ("char", "€", b"\x20\xac"),
    ("int", 1, b"\0\0\0\1"),
    ("long", -1, b"\xff" * 8),
    ("float", 0.5, b"\x3f\0\0\0"),
    ("double", 0.5, b"\x3f\xe0\0\0\0\0\0\0"),
    ("utf", "a\0€", b"\0\6a\xc0\x80\xe2\x82\xac"),
    ("utf", "😀", b"\0\6\xed\xa0\xbd\xed\xb8\x80"),
    ("bytes", b"xyz", b"xyz"),
]
OBJECTS: list[tuple[object, bytes]] = [
    (True, b"\1"),
    (Byte(1), b"\1"),
    (Short(1), b"\0\1"),
    (Char("a"), b"\0a"),
    (Int(1), b"\0\0\0\1"),
    (1, b"\0\0\0\0\0\0\0\1"),
    (Float(0.5), b"\x3f\0\0\0"),
    (0.5, b"\x3f\xe0\0\0\0\0\0\0"),
    ("a", b"\0\1a"),
    (b"a", b"a"),
    (bytearray(b"a"), b"a"),
]


@pytest.mark.parametrize(("name", "value", "data"), FORMS)
def test_write_and_read(name: str, value: object, data: bytes) -> None:
    message = BytesMessage()
    getattr(message, f"write_{name}")(value)
    assert message.body == data
    got = received(message)
    assert isinstance(got, BytesMessage)
    assert got.body_length == len(data)
    assert getattr(got, f"read_{name}")() == value
    if name == "bytes":
        assert got.read_bytes() == b""
    else:
        with pytest.raises(MessageEOFError):
            getattr(got, f"read_{name}")()


@pytest.mark.parametrize(("value", "data"), OBJECTS)
def test_objects(value: Any, data: bytes) -> None:
    message = BytesMessage()
    message.write_object(value)
    assert message.body == data


def test_objects_that_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="None"):
        BytesMessage().write_object(None)
    with pytest.raises(MessageFormatError, match="the value has the type list"):
        BytesMessage().write_object([])  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, _ in FORMS if name != "bytes"])
def test_one_value_after_another(name: str, value: object) -> None:
    message = BytesMessage()
    for _ in range(2):
        getattr(message, f"write_{name}")(value)
    message.write_byte(7)
    got = received(message)
    assert [getattr(got, f"read_{name}")() for _ in range(2)] == [value, value]
    assert got.read_bytes() == b"\7"


def test_unsigned() -> None:
    got = received(BytesMessage(b"\xff\xff\xfe"))
    assert (got.read_unsigned_byte(), got.read_unsigned_short()) == (255, 0xFFFE)


@pytest.mark.parametrize("name", ["short", "unsigned_short", "char", "int", "long", "float", "double", "utf"])
def test_a_failed_read_does_not_advance(name: str) -> None:
    """§3.11.3."""
    got = received(BytesMessage(b"\1"))
    with pytest.raises(MessageEOFError, match="only 1 are left"):
        getattr(got, f"read_{name}")()
    assert got.read_byte() == 1


def test_text_that_is_none() -> None:
    got = received(BytesMessage(b"\0\2\xff\xff\xd8\0"))
    with pytest.raises(MessageFormatError, match="no modified UTF-8"):
        got.read_utf()
    assert got.read_int() == 0x2FFFF
    with pytest.raises(MessageFormatError, match="half of a surrogate pair"):
        got.read_char()
    assert got.read_unsigned_short() == 0xD800
    got = received(BytesMessage(b"\0\5abc"))
    with pytest.raises(MessageEOFError):
        got.read_utf()
    assert got.read_short() == 5


def test_text_that_cannot_be_written() -> None:
    message = BytesMessage()
    message.write_utf("x" * 65535)
    for wrong, complaint in (("x" * 65536, "65536 bytes"), ("\ud800", "not Unicode"), (5, "to be text")):
        with pytest.raises(MessageFormatError, match=complaint):
            message.write_utf(wrong)  # type: ignore[arg-type]
    with pytest.raises(MessageFormatError, match="does not fit into a char of 16 bits"):
        message.write_char("😀")
    assert len(message.body) == 65537


def test_parts_of_bytes() -> None:
    message = BytesMessage(b"ab")
    message.write_bytes(b"cdef", 1, 2)
    message.write_bytes(memoryview(b"gh"), 1)
    assert message.body == b"abdeh"
    message.reset()
    assert [message.read_bytes(2) for _ in range(4)] == [b"ab", b"de", b"h", b""]
    with pytest.raises(MessageFormatError, match="to be bytes"):
        BytesMessage().write_bytes("x")  # type: ignore[arg-type]


def test_written_or_read() -> None:
    """A new message is written, a received one read; reset and clear_body change that."""
    message = BytesMessage()
    message.write_byte(1)
    for read in (message.read_byte, message.read_bytes, lambda: message.body_length):
        with pytest.raises(MessageNotReadableError, match="reset"):
            read()
    message.reset()
    for write in (lambda: message.write_byte(1), lambda: message.write_bytes(b""), lambda: message.write_utf("")):
        with pytest.raises(MessageNotWriteableError, match="clear_body"):
            write()
    assert message.read_byte() == 1
    message.reset()
    assert message.read_byte() == 1
    message.clear_body()
    assert message.body == b""
    message.write_byte(2)
    assert message.body == b"\2"
    got = received(message)
    with pytest.raises(MessageNotWriteableError):
        got.write_byte(1)
    got.clear_body()
    got.write_byte(3)
    assert received(got).body == b"\3"
    assert type(got.body_as(bytes)) is bytes


def test_a_message_sent_can_be_written_on() -> None:
    """§3.9: what was sent stays as it was, and so does what was looked at."""
    message = BytesMessage(b"a")
    first, seen = received(message), message.body
    message.write_bytes(b"b")
    assert (seen, first.body, received(message).body) == (b"a", b"a", b"ab")


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.floats(width=32))
def test_numbers_come_back(numbers: list[int], real: float) -> None:
    message = BytesMessage()
    for number in numbers:
        message.write_long(number)
    message.write_float(real)
    got = received(message)
    assert [got.read_long() for _ in numbers] == numbers
    assert got.read_float() == pytest.approx(real, rel=0, abs=0, nan_ok=True)
