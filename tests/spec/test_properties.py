"""Message properties, Jakarta Messaging 3.1 §3.5: rows M15 to M18, M20, M21 and M23.

The table of conversions is tried on messages that went through the server, cell by cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import pytest
from support.spec import next_of

from rmimom import (
    AcknowledgeMode,
    Byte,
    Char,
    Connection,
    Float,
    Int,
    Message,
    MessageFormatError,
    MessageNotWriteableError,
    Queue,
    Session,
    Short,
)

NUMBERS: Final = ("byte", "short", "int", "long", "float", "double")
TYPES: Final = ("boolean", *NUMBERS, "string")
SAMPLES: Final[dict[str, Any]] = {
    "boolean": True,
    "byte": -128,
    "short": 32767,
    "int": -2147483648,
    "long": 9223372036854775807,
    "float": 0.5,
    "double": 1e300,
    "string": "17",
}
READABLE: Final = {
    "boolean": {"boolean", "string"},
    "byte": {"byte", "short", "int", "long", "string"},
    "short": {"short", "int", "long", "string"},
    "int": {"int", "long", "string"},
    "long": {"long", "string"},
    "float": {"float", "double", "string"},
    "double": {"double", "string"},
    "string": set(TYPES),
}
"""The table of §3.5.4: a property that was set as the type on the left can be read as those on the right."""

Arrive = Callable[[Message], Message]


@pytest.fixture
def arrive(session: Session, queue: Queue) -> Arrive:
    """Sends a message and returns it as it is received."""
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)

    def arrive(message: Message) -> Message:
        sender.send(message)
        return next_of(receiver)

    return arrive


def put(message: Message, kind: str, name: str, value: object) -> None:
    """Set a property as this type."""
    getattr(message, f"set_{kind}_property")(name, value)


def get(message: Message, kind: str, name: str) -> Any:
    """Read a property as this type."""
    return getattr(message, f"get_{kind}_property")(name)


@pytest.mark.parametrize("kind", TYPES)
def test_a_property_of_each_type(kind: str, arrive: Arrive) -> None:
    """A property can be of each of the eight types, and arrives with its type and value.

    Rows: M15, M17. Assertions: T:20, T:25, T:26. Section: 3.5.2, 3.5.5.
    """
    message = Message("a")
    put(message, kind, "p", SAMPLES[kind])
    received = arrive(message)
    assert get(received, kind, "p") == SAMPLES[kind]
    classes = {"boolean": bool, "byte": Byte, "short": Short, "int": Int, "long": int, "float": Float, "double": float}
    assert type(received.get_object_property("p")) is classes.get(kind, str)
    again = Message("b")
    again.set_object_property("p", received.get_object_property("p"))
    assert get(arrive(again), kind, "p") == SAMPLES[kind]


@pytest.mark.parametrize("word", ["a", "_", "$x", "größe", "n1", "JMSXGroupID", "x" * 300])
def test_names_that_are_allowed(word: str, session: Session, queue: Queue) -> None:
    """A property may be named by any identifier of selectors, and a selector finds it.

    Rows: M15. Assertions: T:9. Section: 3.5.1.
    """
    session.create_sender(queue).send("a", properties={word: "v"})
    assert next_of(session.create_receiver(queue, selector=f"{word} = 'v'")).get_string_property(word) == "v"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "a b",
        "1a",
        "a.b",
        "a-b",
        "NULL",
        "true",
        "False",
        "not",
        "AND",
        "or",
        "In",
        "IS",
        "like",
        "BETWEEN",
        "escape",
    ],
)
def test_names_that_are_not_allowed(word: str, session: Session, queue: Queue) -> None:
    """A name that is no identifier of selectors is refused, by the setter and by the send.

    Rows: M15, C11. Assertions: T:9, T:177. Section: 3.5.1.
    """
    with pytest.raises(MessageFormatError, match="cannot name a property"):
        Message("a").set_string_property(word, "v")
    with pytest.raises(MessageFormatError, match="cannot name a property"):
        session.create_sender(queue).send("a", properties={word: "v"})


@pytest.mark.parametrize("written", TYPES)
def test_the_table_of_conversions(written: str, arrive: Arrive) -> None:
    """Each pair of types of the table: what it allows is converted, all else refused, naming both types.

    Rows: M16, C11. Assertions: T:22, T:177. Section: 3.5.4.
    """
    message = Message("a")
    put(message, written, "p", SAMPLES[written])
    received = arrive(message)
    for wanted in TYPES:
        if wanted in READABLE[written]:
            found = get(received, wanted, "p")
            if wanted == "string":
                expected: object = {"boolean": "true", "float": "0.5", "double": "1e+300"}.get(
                    written, str(SAMPLES[written])
                )
            elif written == "string":
                expected = False if wanted == "boolean" else 17
            else:
                expected = SAMPLES[written]
            assert found == expected, wanted
        else:
            with pytest.raises(MessageFormatError, match=rf"\b{written}\b.*\b{wanted}\b"):
                get(received, wanted, "p")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("true", "boolean", True),
        ("TRUE", "boolean", True),
        ("yes", "boolean", False),
        ("-128", "byte", -128),
        ("+7", "short", 7),
        ("007", "int", 7),
        ("-9223372036854775808", "long", -(2**63)),
        ("1.5e3", "double", 1500.0),
        (" .5 ", "float", 0.5),
        ("-Infinity", "double", -math.inf),
    ],
)
def test_text_that_is_a_number(text: str, kind: str, value: object, arrive: Arrive) -> None:
    """Text is read as Java's valueOf reads it.

    Rows: M16. Assertions: T:22, T:23. Section: 3.5.4.
    """
    message = Message("a")
    message.set_string_property("p", text)
    assert get(arrive(message), kind, "p") == value


@pytest.mark.parametrize("kind", NUMBERS)
def test_text_that_is_no_number(kind: str, arrive: Arrive) -> None:
    """Text that is no such number raises ValueError, and no error of another tree.

    Rows: M16. Assertions: T:23. Section: 3.5.4.
    """
    limits = {"byte": "128", "short": "-32769", "int": "2147483648", "long": "9223372036854775808"}
    for text in ("", "seven", "1_000", "0x10", "1 2", "٣", limits.get(kind, "1e")):
        message = Message("a")
        message.set_string_property("p", text)
        received = arrive(message)
        with pytest.raises(ValueError, match="property 'p'") as caught:
            get(received, kind, "p")
        assert type(caught.value) is ValueError


@pytest.mark.parametrize("missing", [True, False])
def test_null_as_each_type(missing: bool, arrive: Arrive) -> None:
    """A property that is null, or missing, is None, False, or as a number what null is as text: ValueError.

    Rows: M16, M17. Assertions: T:24, T:10. Section: 3.5.4, 3.5.8.
    """
    message = Message("a")
    if not missing:
        message.set_object_property("p", None)
    received = arrive(message)
    assert received.get_object_property("p") is None
    assert received.get_string_property("p") is None
    assert received.get_boolean_property("p") is False
    for kind in NUMBERS:
        with pytest.raises(ValueError, match="null"):
            get(received, kind, "p")


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"bytes", Char("c"), object(), 1j, 2**63, -(2**63) - 1])
def test_values_that_are_no_properties(value: Any, session: Session, queue: Queue) -> None:
    """Objects of other classes are refused by the setter and by the send, with the name of the property.

    Rows: M17, C11. Assertions: T:25, T:177. Section: 3.5.5.
    """
    with pytest.raises(MessageFormatError, match="'p'"):
        Message("a").set_object_property("p", value)
    with pytest.raises(MessageFormatError, match="'p'"):
        session.create_sender(queue).send("a", properties={"p": value})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("byte", 128),
        ("short", -32769),
        ("int", 2**31),
        ("long", 2**63),
        ("boolean", 1),
        ("int", True),
        ("string", 7),
        ("int", 1.5),
        ("double", "1"),
    ],
)
def test_setters_look_at_the_value(kind: str, value: Any) -> None:
    """A setter takes values of its type only, and within its range.

    Rows: M17, M15. Assertions: T:25, T:20. Section: 3.5.2.
    """
    with pytest.raises(MessageFormatError):
        put(Message("a"), kind, "p", value)


def test_names_of_properties(arrive: Arrive) -> None:
    """All names can be listed and each property read; headers are not among them, and one can be asked for.

    Rows: M17. Assertions: T:27. Section: 3.5.6.
    """
    message = Message("a", type="quake", correlation_id="c")
    for kind in TYPES:
        put(message, kind, f"p_{kind}", SAMPLES[kind])
    assert sorted(message.property_names) == sorted(f"p_{kind}" for kind in TYPES)
    received = arrive(message)
    own = [name for name in received.property_names if not name.startswith("JMSX")]
    assert {name: received.get_object_property(name) for name in own} == {f"p_{kind}": SAMPLES[kind] for kind in TYPES}
    assert not {"JMSType", "JMSCorrelationID", "JMSPriority"} & set(received.property_names)
    assert received.property_exists("p_int")
    assert not received.property_exists("p_char")


def test_properties_are_set_before_the_send(session: Session, queue: Queue) -> None:
    """What is set before the send arrives; what is set after it changes nothing that was sent.

    Rows: M18. Assertions: T:19. Section: 3.5.3.
    """
    message = Message("a", properties={"p": 1})
    session.create_sender(queue).send(message)
    message.set_long_property("p", 2)
    message.set_long_property("q", 3)
    assert dict(next_of(session.create_receiver(queue)).properties) == {"p": 1}


def test_received_properties_are_read_only(arrive: Arrive) -> None:
    """Every way to change the properties of a received message is refused.

    Rows: M18, C11. Assertions: T:21, T:179. Section: 3.5.3.
    """
    received = arrive(Message("a", properties={"p": 1}))
    for kind in TYPES:
        with pytest.raises(MessageNotWriteableError, match=r"clear_properties\(\)"):
            put(received, kind, "p", SAMPLES[kind])
    with pytest.raises(MessageNotWriteableError):
        received.set_object_property("p", 2)
    with pytest.raises(MessageNotWriteableError):
        received.properties = {}
    with pytest.raises(MessageNotWriteableError):
        received.properties["p"] = 2
    with pytest.raises(MessageNotWriteableError):
        del received.properties["p"]
    assert dict(received.properties) == {"p": 1}


def test_cleared_properties_can_be_set(arrive: Arrive) -> None:
    """After clear_properties there are none, and new ones can be set and read; the body stays, and stays read-only.

    Rows: M18. Assertions: T:28, T:29. Section: 3.5.7.
    """
    received = arrive(Message({"n": 1}, properties={"p": 1}))
    received.clear_properties()
    assert list(received.property_names) == []
    assert received.get_object_property("p") is None
    received.set_int_property("q", 2)
    assert received.get_int_property("q") == 2
    assert received.body == {"n": 1}
    with pytest.raises(MessageNotWriteableError):
        received.body = {"n": 2}
    again = arrive(received)
    assert (again.body, again.get_int_property("q"), again.property_exists("p")) == ({"n": 1}, 2, False)


def test_properties_of_a_new_message_can_be_cleared() -> None:
    """clear_properties of a message that was not sent leaves its body too.

    Rows: M18. Assertions: T:28, T:29. Section: 3.5.7.
    """
    message = Message("a", properties={"p": 1})
    message.clear_properties()
    assert (message.body, list(message.property_names)) == ("a", [])


def test_delivery_count_is_a_property(arrive: Arrive) -> None:
    """A received message has the property JMSXDeliveryCount, an int; a message to send has not, and cannot set it.

    Rows: M20. Assertions: T:34.3, T:257. Section: 3.5.9, 3.5.11.
    """
    message = Message("a")
    assert not message.property_exists("JMSXDeliveryCount")
    with pytest.raises(MessageFormatError, match="JMSXDeliveryCount"):
        message.set_int_property("JMSXDeliveryCount", 1)
    received = arrive(message)
    assert received.get_int_property("JMSXDeliveryCount") == received.delivery_count == 1
    assert "JMSXDeliveryCount" in received.property_names
    assert type(received.get_object_property("JMSXDeliveryCount")) is Int


def test_message_groups(session: Session, queue: Queue) -> None:
    """The sender sets JMSXGroupID, a string, and JMSXGroupSeq, an int; they arrive, and selectors see them.

    Rows: M21. Assertions: T:32. Section: 3.5.9.
    """
    message = Message("a")
    message.set_string_property("JMSXGroupID", "g")
    message.set_int_property("JMSXGroupSeq", 3)
    session.create_sender(queue).send(message)
    received = next_of(session.create_receiver(queue, selector="JMSXGroupID = 'g' AND JMSXGroupSeq = 3"))
    assert (received.get_string_property("JMSXGroupID"), received.get_int_property("JMSXGroupSeq")) == ("g", 3)
    assert type(received.get_object_property("JMSXGroupSeq")) is Int
    for name, value in (("JMSXGroupID", 7), ("JMSXGroupSeq", "3")):
        with pytest.raises(MessageFormatError, match=name):
            Message("a").set_object_property(name, value)


@pytest.mark.parametrize(
    "word", ["JMS_rmimom_dead_reason", "JMS_acme_trace", "JMSXUserID", "JMSXOther", "JMSType", "JMSa"]
)
def test_names_of_the_provider_cannot_be_set(word: str, session: Session, queue: Queue) -> None:
    """A property that begins with JMS is the specification's or the provider's, and no sender sets it.

    Rows: M23. Assertions: T:35. Section: 3.5.10.
    """
    with pytest.raises(MessageFormatError, match=word):
        Message("a").set_string_property(word, "v")
    with pytest.raises(MessageFormatError, match=word):
        session.create_sender(queue).send("a", properties={word: "v"})


def test_properties_of_the_provider_have_its_name(connection: Connection, queue: Queue) -> None:
    """What the provider adds, here to a dead letter, begins with JMS_rmimom_, and is not sent on with the message.

    Rows: M23. Assertions: T:35. Section: 3.5.10.
    """
    dead = Queue(f"DLQ.{queue.name}")
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    session.create_sender(queue).send("a", properties={"p": 1})
    next_of(session.create_receiver(queue)).nack("spoilt", dead=True)
    letters = session.create_receiver(dead)
    letter = next_of(letters)
    letter.acknowledge()
    added = {name for name in letter.property_names if name not in {"p", "JMSXDeliveryCount"}}
    assert "JMS_rmimom_dead_reason" in added
    assert all(name.startswith("JMS_rmimom_") for name in added)
    session.create_sender(dead).send(letter)
    assert dict(next_of(letters).properties) == {"p": 1}
