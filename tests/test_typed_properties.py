"""Properties by type (Jakarta Messaging 3.1 §3.5)."""

from __future__ import annotations

import pytest
from support.received import received

from rmimom.errors import MessageFormatError, MessageNotWriteableError
from rmimom.frame import encode
from rmimom.message import Message
from rmimom.values import Byte, Float, Int, Short

SET: dict[str, object] = {
    "boolean": True,
    "byte": Byte(5),
    "short": Short(5),
    "int": Int(5),
    "long": 5,
    "float": Float(0.5),
    "double": 0.5,
    "string": "5",
}


@pytest.mark.parametrize("kind", SET)
def test_set_and_get(kind: str) -> None:
    """§3.5.4: each type, before and after the journey; the same in the dict."""
    message = Message()
    getattr(message, f"set_{kind}_property")("p", SET[kind])
    for one in (message, received(message)):
        assert getattr(one, f"get_{kind}_property")("p") == SET[kind]
        assert type(one.get_object_property("p")) is type(SET[kind])
        assert one.get_string_property("p") == {"boolean": "true", "float": "0.5", "double": "0.5"}.get(kind, "5")
        assert one.properties == {"p": SET[kind]}


@pytest.mark.parametrize("value", [*SET.values(), None])
def test_objects(value: bool | float | str | None) -> None:
    """§3.5.5."""
    message = Message()
    message.set_object_property("p", value)
    found = received(message).get_object_property("p")
    assert (found, type(found)) == (value, type(value))


def test_both_types_are_named() -> None:
    message = Message(properties={"p": 5})
    with pytest.raises(MessageFormatError, match="property 'p' is of the type long, which cannot be read as int"):
        message.get_int_property("p")
    with pytest.raises(MessageFormatError, match="property 'q' is to be of the type byte, but 'x' is a string"):
        message.set_byte_property("q", "x")  # type: ignore[arg-type]
    assert message.property_names == ["p"]


def test_a_missing_property() -> None:
    """§3.5.8 and §3.5.4: null, which only strings, objects and booleans can be."""
    message = Message()
    assert not message.property_exists("p")
    assert message.get_object_property("p") is None
    assert message.get_string_property("p") is None
    assert message.get_boolean_property("p") is False
    for kind in ("byte", "short", "int", "long", "float", "double"):
        with pytest.raises(ValueError, match="property 'p' is null or missing"):
            getattr(message, f"get_{kind}_property")("p")


def test_names() -> None:
    """§3.5.6: properties, and no headers."""
    message = Message(correlation_id="c", type="t")
    message.set_string_property("p", None)
    assert message.property_names == ["p"]
    assert message.property_exists("p")
    assert not message.property_exists("JMSType")


@pytest.mark.parametrize("name", ["", "a b", "NULL", "JMS_vendor", "JMSXUserID", "JMSXDeliveryCount", "JMSPriority"])
def test_names_that_may_not_be_set(name: str) -> None:
    """§3.5.1, §3.5.9, §3.5.10."""
    with pytest.raises(MessageFormatError, match="cannot name a property"):
        Message().set_int_property(name, 1)


def test_groups() -> None:
    """§3.5.9: the two JMSX properties that a sender sets, each of its own type, set by type or in the dict."""
    message = Message(properties={"JMSXGroupSeq": 1, "plain": 1})
    message.set_string_property("JMSXGroupID", "g")
    got = received(message)
    assert (got.get_string_property("JMSXGroupID"), got.get_int_property("JMSXGroupSeq")) == ("g", 1)
    assert type(got.get_object_property("plain")) is int
    for name, value in (("JMSXGroupID", 1), ("JMSXGroupSeq", "1"), ("JMSXGroupSeq", True), ("JMSXGroupSeq", 2**31)):
        with pytest.raises(MessageFormatError):
            message.set_object_property(name, value)
        for _ in range(2):  # names once found good are remembered, and these must be looked at all the same
            with pytest.raises(MessageFormatError):
                received(Message(properties={name: value}))


def test_delivery_count() -> None:
    """§3.5.11: an int from 1 up, set by the provider; not of a message that was not received."""
    sent = Message().to_frame("queue://q", message_id="ID:1", now=1)
    got = Message.from_frame(encode(sent), delivery_count=3)
    assert got.get_int_property("JMSXDeliveryCount") == 3
    assert got.get_string_property("JMSXDeliveryCount") == "3"
    assert got.property_names == ["JMSXDeliveryCount"]
    assert got.property_exists("JMSXDeliveryCount")
    assert got.properties == {}
    fresh = Message()
    assert not fresh.property_exists("JMSXDeliveryCount")
    assert fresh.get_object_property("JMSXDeliveryCount") is None


def test_read_only_on_receipt() -> None:
    """§3.5.3 and §3.5.7: until they are cleared, which leaves the body as it is."""
    got = received(Message("body", properties={"p": 1}))
    for change in (
        lambda: got.set_int_property("q", 1),
        lambda: got.set_object_property("p", None),
        lambda: got.properties.update(q=1),  # type: ignore[attr-defined]
        lambda: got.properties.__setitem__("q", 1),  # type: ignore[attr-defined]
        lambda: setattr(got, "properties", {}),
    ):
        with pytest.raises(MessageNotWriteableError):
            change()
    assert got.properties == {"p": 1}
    got.clear_properties()
    assert (got.properties, got.property_names) == ({}, [])
    got.set_int_property("q", 2)
    assert (got.properties, got.body) == ({"q": 2}, "body")
    with pytest.raises(MessageNotWriteableError, match="clear_body"):
        got.body = "other"
