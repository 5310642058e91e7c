"""MapMessage (Jakarta Messaging 3.1 §3.11.3)."""

from __future__ import annotations

import pytest
from support.received import received

from rmimom.errors import MessageFormatError, MessageNotWriteableError
from rmimom.kinds import MapMessage
from rmimom.values import Byte, Char, Float, Int, Short

SET: dict[str, tuple[object, type]] = {
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


def full() -> MapMessage:
    """A message with an item of each type, named by it."""
    message = MapMessage()
    for kind, (value, _) in SET.items():
        getattr(message, f"set_{kind}")(kind, value)
    return message


@pytest.mark.parametrize("kind", SET)
def test_set_and_get(kind: str) -> None:
    value, made = SET[kind]
    message = full()
    for one in (message, received(message)):
        assert isinstance(one, MapMessage)
        assert getattr(one, f"get_{kind}")(kind) == value
        assert type(one.get_object(kind)) is made


def test_names() -> None:
    got = received(full())
    assert got.map_names == list(SET)
    assert got.item_exists("int")
    assert not got.item_exists("integer")


def test_conversions_name_both_types() -> None:
    got = received(full())
    assert got.get_long("byte") == 5
    with pytest.raises(MessageFormatError, match="item 'long' is of the type long, which cannot be read as int"):
        got.get_int("long")
    with pytest.raises(ValueError, match="item 'string' is 'many'"):
        MapMessage({"string": "many"}).get_int("string")


def test_a_missing_item_is_null() -> None:
    message = MapMessage()
    assert message.get_object("x") is message.get_string("x") is message.get_bytes("x") is None
    assert message.get_boolean("x") is False
    with pytest.raises(ValueError, match="'x' is null or missing"):
        message.get_double("x")
    with pytest.raises(TypeError, match="'x' is null or missing"):
        message.get_char("x")


@pytest.mark.parametrize("name", ["", None, 5])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(MessageFormatError, match="non-empty strings"):
        MapMessage().set_int(name, 1)
    with pytest.raises(MessageFormatError, match="non-empty strings"):
        MapMessage({name: 1})


def test_values_that_cannot_be() -> None:
    with pytest.raises(MessageFormatError, match="item 'x' cannot be of the type list"):
        MapMessage({"x": []})
    with pytest.raises(MessageFormatError, match="item 'x' cannot be of the type dict"):
        MapMessage().set_object("x", {})  # type: ignore[arg-type]
    with pytest.raises(MessageFormatError, match="must be a dict"):
        MapMessage([1])


def test_bytes_are_copied_in() -> None:
    """§3.12."""
    data = bytearray(b"ab")
    message = MapMessage()
    message.set_bytes("x", data)
    message.set_object("y", data)  # type: ignore[arg-type]
    data[0] = 0
    assert message.body == {"x": b"ab", "y": b"ab"}


def test_read_only_on_receipt() -> None:
    """§3.11.2: until it is cleared, which leaves the properties."""
    message = MapMessage({"a": 1}, properties={"p": 1})
    got = received(message)
    with pytest.raises(MessageNotWriteableError):
        got.set_int("a", 2)
    with pytest.raises(MessageNotWriteableError):
        got.body["a"] = 2
    got.clear_body()
    assert got.body == {}
    got.set_int("b", 2)
    got.body["c"] = 3
    assert (got.body, got.properties) == ({"b": 2, "c": 3}, {"p": 1})
    assert message.body == {"a": 1}
