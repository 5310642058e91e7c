"""Message bodies, Jakarta Messaging 3.1 §3.9 to §3.12: rows M18, M19, M24 to M31."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Final

import pytest
from support.spec import next_of

from rmimom import (
    AcknowledgeMode,
    Byte,
    BytesMessage,
    Char,
    Connection,
    Float,
    Int,
    MapMessage,
    Message,
    MessageEOFError,
    MessageFormatError,
    MessageNotReadableError,
    MessageNotWriteableError,
    ObjectMessage,
    Queue,
    Session,
    Short,
    StreamMessage,
    TextMessage,
)

NUMBERS: Final = ("byte", "short", "int", "long", "float", "double")
TYPES: Final = ("boolean", "byte", "short", "char", "int", "long", "float", "double", "string", "bytes")
SAMPLES: Final[dict[str, Any]] = {
    "boolean": True,
    "byte": -128,
    "short": 32767,
    "char": "ß",
    "int": -2147483648,
    "long": 9223372036854775807,
    "float": 0.5,
    "double": 1e300,
    "string": "17",
    "bytes": b"\x00\xff",
}
CLASSES: Final = {
    "boolean": bool,
    "byte": Byte,
    "short": Short,
    "char": Char,
    "int": Int,
    "long": int,
    "float": Float,
    "double": float,
    "string": str,
    "bytes": bytes,
}
READABLE: Final = {
    "boolean": {"boolean", "string"},
    "byte": {"byte", "short", "int", "long", "string"},
    "short": {"short", "int", "long", "string"},
    "char": {"char", "string"},
    "int": {"int", "long", "string"},
    "long": {"long", "string"},
    "float": {"float", "double", "string"},
    "double": {"double", "string"},
    "string": {"boolean", "byte", "short", "int", "long", "float", "double", "string"},
    "bytes": {"bytes"},
}
"""The table of §3.11.3: an item that was written as the type on the left can be read as those on the right."""

Arrive = Callable[[Message], Message]


@pytest.fixture
def arrive(session: Session, queue: Queue) -> Arrive:
    """Sends a message and returns it as it is received."""
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)

    def arrive(message: Message) -> Message:
        sender.send(message)
        return next_of(receiver)

    return arrive


def expected(written: str, wanted: str) -> object:
    """The sample of one type read as another."""
    sample = SAMPLES[written]
    if wanted == "string":
        return {"boolean": "true", "float": "0.5", "double": "1e+300"}.get(written, str(sample))
    if written == "string":
        return False if wanted == "boolean" else 17
    return sample


# Kinds.


def test_the_kinds_of_messages(session: Session, arrive: Arrive) -> None:
    """A session makes the five kinds with a body, and one without; each arrives as the kind it was sent.

    Rows: M24, M27. Assertions: T:197, T:82. Section: 3.11, 3.11.4.
    """
    made: list[tuple[Message, type[Message], str, object]] = [
        (session.create_message(), Message, "none", None),
        (session.create_text_message("text"), TextMessage, "text", "text"),
        (session.create_bytes_message(b"\x00\x01"), BytesMessage, "bytes", b"\x00\x01"),
        (session.create_map_message({"a": 1}), MapMessage, "map", {"a": 1}),
        (session.create_stream_message([1, "b"]), StreamMessage, "stream", [1, "b"]),
        (session.create_object_message({"deep": [(1, None)]}), ObjectMessage, "object", {"deep": [(1, None)]}),
    ]
    for message, kind, name, body in made:
        received = arrive(message)
        assert (type(message), type(received), received.kind) == (kind, kind, name)
        assert received.body == body


def test_empty_messages_keep_their_kind(session: Session, arrive: Arrive) -> None:
    """Without content a message still is of its kind when it arrives.

    Rows: M24, M27. Assertions: T:82. Section: 3.11.4.
    """
    for message in (
        session.create_text_message(),
        session.create_bytes_message(),
        session.create_map_message(),
        session.create_stream_message(),
        session.create_object_message(),
    ):
        assert type(arrive(message)) is type(message)


def test_a_map_as_an_object_is_no_map_message(arrive: Arrive) -> None:
    """A dict sent as an object arrives as an object; text as bytes is no text.

    Rows: M27. Assertions: T:82. Section: 3.11.4.
    """
    assert type(arrive(ObjectMessage({"a": 1}))) is ObjectMessage
    assert type(arrive(Message({"a": 1}))) is MapMessage
    assert type(arrive(Message(b"text"))) is BytesMessage


def test_objects_are_plain_data(arrive: Arrive) -> None:
    """An object message carries any nesting of plain data; an instance of a class is refused, and nothing is pickled.

    Rows: M24, C11. Assertions: T:197, T:177. Section: 3.11.
    """
    data = {"a": [1, 2.5, True, None, "ß", b"b"], "t": (1, (2,)), "d": {"x": {"y": []}}}
    assert arrive(ObjectMessage(data)).body == data

    class Custom:
        pass

    with pytest.raises(MessageFormatError, match="Custom"):
        ObjectMessage(Custom())


# Read-only.


def test_a_received_body_is_read_only(arrive: Arrive) -> None:
    """Every way to change the body of a received message is refused.

    Rows: M18, C11. Assertions: T:73, T:179. Section: 3.11.2.
    """
    text, data = arrive(TextMessage("a")), arrive(BytesMessage(b"a"))
    items, stream, thing = arrive(MapMessage({"a": 1})), arrive(StreamMessage([1])), arrive(ObjectMessage([[1]]))
    assert isinstance(text, TextMessage)
    assert isinstance(data, BytesMessage)
    assert isinstance(items, MapMessage)
    assert isinstance(stream, StreamMessage)
    changes: list[Callable[[], object]] = [
        lambda: setattr(text, "text", "b"),
        lambda: data.write_byte(1),
        lambda: data.write_bytes(b"b"),
        lambda: items.set_int("a", 2),
        lambda: items.body.update(a=2),
        lambda: stream.write_int(1),
        lambda: stream.body.append(1),
        lambda: thing.body[0].append(1),
        *(lambda one=one: setattr(one, "body", one.body) for one in (text, data, items, stream, thing)),
    ]
    for change in changes:
        with pytest.raises(MessageNotWriteableError, match="read-only"):
            change()
    assert [one.body for one in (text, data, items, stream, thing)] == ["a", b"a", {"a": 1}, [1], [[1]]]


@pytest.mark.parametrize("received", [False, True])
def test_a_cleared_body(received: bool, arrive: Arrive) -> None:
    """clear_body makes the body that of a new message of its kind; the properties stay, and stay read-only.

    Rows: M18. Assertions: T:72, T:73. Section: 3.11.1, 3.11.2.
    """
    kinds: list[tuple[Message, object]] = [
        (TextMessage("a", properties={"p": 1}), "b"),
        (BytesMessage(b"a", properties={"p": 1}), b"b"),
        (MapMessage({"a": 1}, properties={"p": 1}), {"b": 2}),
        (StreamMessage([1], properties={"p": 1}), [2]),
        (ObjectMessage([1], properties={"p": 1}), [[2]]),
    ]
    for made, new in kinds:
        message = arrive(made) if received else made
        message.clear_body()
        assert message.body == type(message)().body
        assert message.get_long_property("p") == 1
        message.body = new
        assert message.body == new
        if received:
            with pytest.raises(MessageNotWriteableError):
                message.set_int_property("p", 2)
        again = arrive(message)
        assert (type(again), again.body, again.get_long_property("p")) == (type(message), new, 1)


def test_a_message_that_comes_again_is_the_original(connection: Connection, queue: Queue) -> None:
    """What a receiver changed in a message, its body, properties and headers, is gone when it comes again.

    Rows: M19. Assertions: T:71. Section: 3.10.
    """
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    session.create_sender(queue).send(MapMessage({"a": 1}, properties={"p": 1}, type="t"))
    receiver = session.create_receiver(queue)
    message = next_of(receiver)
    message.clear_body()
    message.body = {"a": 2}
    message.clear_properties()
    message.set_int_property("q", 2)
    message.type = "other"
    message.priority = 9
    session.recover()
    again = next_of(receiver)
    assert (again.body, dict(again.properties), again.type, again.priority) == ({"a": 1}, {"p": 1}, "t", 4)
    assert (again.redelivered, again.delivery_count) == (True, 2)


# Conversions.


@pytest.mark.parametrize("written", TYPES)
def test_the_table_of_conversions_of_maps(written: str, arrive: Arrive) -> None:
    """Each pair of types of the table for items of a map: converted, or refused with both types named.

    Rows: M25, C11. Assertions: T:74, T:75, T:177. Section: 3.11.3.
    """
    message = MapMessage()
    getattr(message, f"set_{written}")("i", SAMPLES[written])
    received = arrive(message)
    assert isinstance(received, MapMessage)
    assert type(received.get_object("i")) is CLASSES[written]
    assert received.get_object("i") == SAMPLES[written]
    for wanted in TYPES:
        read = getattr(received, f"get_{wanted}")
        if wanted in READABLE[written]:
            assert read("i") == expected(written, wanted), wanted
        else:
            with pytest.raises(MessageFormatError, match=rf"\b{written}\b.*\b{wanted}\b"):
                read("i")


@pytest.mark.parametrize("written", TYPES)
def test_the_table_of_conversions_of_streams(written: str, arrive: Arrive) -> None:
    """Each pair of types for fields of a stream, where a read that is refused leaves the field to be read again.

    Rows: M25, M26. Assertions: T:74, T:75, T:81. Section: 3.11.3.
    """
    message = StreamMessage()
    possible = [wanted for wanted in TYPES if wanted in READABLE[written]]
    for _ in possible:
        getattr(message, f"write_{written}")(SAMPLES[written])
    message.write_object(CLASSES[written](SAMPLES[written]))
    received = arrive(message)
    assert isinstance(received, StreamMessage)
    for good in possible:
        for wanted in TYPES:
            if wanted not in READABLE[written]:
                with pytest.raises(MessageFormatError, match=rf"\b{written}\b.*\b{wanted}\b"):
                    getattr(received, f"read_{wanted}")()
        assert getattr(received, f"read_{good}")() == expected(written, good), good
    last = received.read_object()
    assert (type(last), last) == (CLASSES[written], SAMPLES[written])


@pytest.mark.parametrize("kind", NUMBERS)
def test_text_that_is_no_number(kind: str, arrive: Arrive) -> None:
    """Text that is no such number raises ValueError; in a stream it can be read again as something else.

    Rows: M25, M26. Assertions: T:76, T:81. Section: 3.11.3.
    """
    items, stream = arrive(MapMessage({"i": "seven"})), arrive(StreamMessage(["seven"]))
    assert isinstance(items, MapMessage)
    assert isinstance(stream, StreamMessage)
    with pytest.raises(ValueError, match="seven"):
        getattr(items, f"get_{kind}")("i")
    with pytest.raises(ValueError, match="seven"):
        getattr(stream, f"read_{kind}")()
    assert stream.read_string() == "seven"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("TrUe", True), ("yes", False), ("1", False), ("", False)])
def test_text_as_a_boolean(text: str, value: bool, arrive: Arrive) -> None:
    """Text is true if it says so in any case, and else false.

    Rows: M25. Assertions: T:77. Section: 3.11.3.
    """
    items, stream = arrive(MapMessage({"i": text})), arrive(StreamMessage([text]))
    assert isinstance(items, MapMessage)
    assert isinstance(stream, StreamMessage)
    assert items.get_boolean("i") is value
    assert stream.read_boolean() is value


def test_null_as_each_type(arrive: Arrive) -> None:
    """Null as a number is what null is as text, ValueError; as a char TypeError; else None or False.

    Rows: M25, M26. Assertions: T:78, T:79, T:81. Section: 3.11.3.
    """
    items, stream = arrive(MapMessage({"i": None})), arrive(StreamMessage([None, None, None, None, None]))
    assert isinstance(items, MapMessage)
    assert isinstance(stream, StreamMessage)
    for kind in NUMBERS:
        with pytest.raises(ValueError, match="null"):
            getattr(items, f"get_{kind}")("i")
        with pytest.raises(ValueError, match="null"):
            getattr(stream, f"read_{kind}")()
    with pytest.raises(TypeError):
        items.get_char("i")
    with pytest.raises(TypeError):
        stream.read_char()
    assert (items.get_boolean("i"), items.get_string("i"), items.get_bytes("i"), items.get_object("i")) == (
        False,
        None,
        None,
        None,
    )
    assert (stream.read_boolean(), stream.read_string(), stream.read_bytes(), stream.read_object()) == (
        False,
        None,
        None,
        None,
    )


def test_an_item_that_is_not_there(arrive: Arrive) -> None:
    """An item of a map that was never set reads as one that is null; whether it is there can be asked.

    Rows: M25. Assertions: T:80. Section: 3.11.3.
    """
    items = arrive(MapMessage({"i": 1}))
    assert isinstance(items, MapMessage)
    assert (items.get_object("x"), items.get_string("x"), items.get_boolean("x")) == (None, None, False)
    with pytest.raises(ValueError, match="null"):
        items.get_int("x")
    with pytest.raises(TypeError):
        items.get_char("x")
    assert (items.item_exists("i"), items.item_exists("x"), list(items.map_names)) == (True, False, ["i"])


# Streams and bytes.


def test_bytes_as_values(arrive: Arrive) -> None:
    """Values written to a bytes message are read in their order, in the form of Java's DataOutput.

    Rows: M24, M26. Assertions: T:197, T:81. Section: 3.11.
    """
    message = BytesMessage()
    for kind in ("boolean", "byte", "short", "int", "long", "float", "double", "char"):
        getattr(message, f"write_{kind}")(SAMPLES[kind])
    message.write_utf("größe")
    message.write_bytes(b"rest")
    received = arrive(message)
    assert isinstance(received, BytesMessage)
    assert received.body.startswith(b"\x01\x80\x7f\xff\x80\x00\x00\x00\x7f\xff")
    for kind in ("boolean", "byte", "short", "int", "long", "float", "double", "char"):
        assert getattr(received, f"read_{kind}")() == SAMPLES[kind]
    assert received.read_utf() == "größe"
    assert received.read_bytes() == b"rest"


def test_a_read_of_bytes_that_fails_does_not_move(arrive: Arrive) -> None:
    """After a read for which too few bytes are left, what is there can be read.

    Rows: M26, C11. Assertions: T:81, T:176. Section: 3.11.3, 10.3.
    """
    received = arrive(BytesMessage(b"\x00\x01\x02"))
    assert isinstance(received, BytesMessage)
    for read in (received.read_int, received.read_long, received.read_double, received.read_float):
        with pytest.raises(MessageEOFError):
            read()
    assert received.read_short() == 1
    with pytest.raises(MessageEOFError):
        received.read_utf()
    assert received.read_byte() == 2
    with pytest.raises(MessageEOFError):
        received.read_byte()


def test_the_end_of_a_stream(arrive: Arrive) -> None:
    """A read behind the last field raises MessageEOFError, as often as it is tried; reset goes back to the first.

    Rows: C11. Assertions: T:176. Section: 10.3.
    """
    stream = arrive(StreamMessage([1, 2]))
    assert isinstance(stream, StreamMessage)
    assert [stream.read_long(), stream.read_object()] == [1, 2]
    for _ in range(2):
        with pytest.raises(MessageEOFError, match="2 fields"):
            stream.read_object()
    stream.reset()
    assert stream.read_long() == 1


def test_a_message_that_is_written_is_not_read() -> None:
    """A stream or bytes message that is being written cannot be read before reset, and then not be written.

    Rows: C11. Assertions: T:178, T:179. Section: 10.3.
    """
    stream, data = StreamMessage(), BytesMessage()
    stream.write_int(7)
    data.write_int(7)
    for read in (stream.read_int, stream.read_object, data.read_int, data.read_bytes):
        with pytest.raises(MessageNotReadableError, match=r"reset\(\)"):
            read()
    stream.reset()
    data.reset()
    assert stream.read_int() == data.read_int() == 7
    for message in (stream, data):
        with pytest.raises(MessageNotWriteableError):
            message.write_int(8)


@pytest.mark.parametrize("value", [object(), [1], {"a": 1}, {1}, 2**63, 1j])
def test_values_that_maps_and_streams_do_not_carry(value: Any) -> None:
    """Objects of other types are refused when they are put in.

    Rows: M25, C11. Assertions: T:74, T:177. Section: 3.11.3, 10.3.
    """
    with pytest.raises(MessageFormatError):
        MapMessage().set_object("i", value)
    with pytest.raises(MessageFormatError):
        StreamMessage().write_object(value)
    if not isinstance(value, dict):
        with pytest.raises(MessageFormatError):
            MapMessage({"i": value})


def test_special_numbers_arrive(arrive: Arrive) -> None:
    """Infinities and what is no number arrive in map, stream and properties.

    Rows: M25, M15. Assertions: T:74, T:20. Section: 3.11.3.
    """
    for value in (math.inf, -math.inf, Float(math.inf)):
        received = arrive(MapMessage({"i": value}, properties={"p": value}))
        assert (received.body["i"], received.get_double_property("p")) == (value, value)
        assert arrive(StreamMessage([value])).body == [value]
    assert math.isnan(arrive(MapMessage({"i": math.nan})).body["i"])


# Copies.


def test_values_are_copied_in(arrive: Arrive) -> None:
    """What was put into a message and changed afterwards is in the message as it was put in; None is None.

    Rows: M28. Assertions: T:85. Section: 3.12.
    """
    data: list[Any] = [1, [2]]
    raw = bytearray(b"abc")
    thing, items, stream = ObjectMessage(data), MapMessage(), StreamMessage()
    items.set_bytes("b", bytes(raw))
    items.set_object("m", raw)
    items.set_object("n", None)
    stream.write_bytes(raw)
    stream.write_object(None)
    data[1].append(3)
    data.append(4)
    raw[0] = 0
    assert arrive(thing).body == [1, [2]]
    assert arrive(items).body == {"b": b"abc", "m": b"abc", "n": None}
    assert arrive(stream).body == [b"abc", None]
    properties: dict[str, Any] = {"p": None}
    message = Message("a", properties=properties)
    properties["p"] = 1
    assert message.get_object_property("p") is None
    assert arrive(message).get_object_property("p") is None


def test_values_are_copied_out(arrive: Arrive) -> None:
    """What was read from a message can be changed, and the message stays as it was.

    Rows: M28. Assertions: T:88. Section: 3.12.
    """
    received = arrive(ObjectMessage([1, [2]]))
    copy = received.body_as(list)
    assert copy is not None
    copy[1].append(3)
    copy.append(4)
    assert received.body == [1, [2]]
    items = arrive(MapMessage({"b": b"abc"})).body_as(dict)
    assert items == {"b": b"abc"}
    items["b"] = b""


def test_a_message_of_another_maker(session: Session, queue: Queue) -> None:
    """An object that only looks like a message is sent with its body, properties and headers.

    Rows: M29. Assertions: T:84. Section: 3.12.
    """

    class Foreign:
        body: ClassVar = {"n": 1}
        properties: ClassVar = {"p": 2}
        kind = "map"
        correlation_id = "c"
        type = "quake"
        reply_to = object()  # a destination of the other maker, which need not be kept

    session.create_sender(queue).send(Foreign())
    received = next_of(session.create_receiver(queue))
    assert type(received) is MapMessage
    assert (received.body, dict(received.properties)) == ({"n": 1}, {"p": 2})
    assert (received.correlation_id, received.type) == ("c", "quake")


# The body as a type.


def test_body_as(arrive: Arrive) -> None:
    """body_as gives the body as the class asked for, or refuses naming both; is_body_assignable_to tells before.

    Rows: M30, C11. Assertions: T:177. Section: API.
    """
    bodies: list[tuple[Message, type, object]] = [
        (TextMessage("a"), str, "a"),
        (BytesMessage(b"a"), bytes, b"a"),
        (MapMessage({"a": 1}), dict, {"a": 1}),
        (ObjectMessage([[1]]), list, [[1]]),
        (ObjectMessage(7), int, 7),
    ]
    for made, kind, body in bodies:
        received = arrive(made)
        assert received.is_body_assignable_to(kind)
        assert received.is_body_assignable_to(object)
        assert received.body_as(kind) == received.body_as(object) == body
        other = bytes if kind is str else str
        assert not received.is_body_assignable_to(other)
        with pytest.raises(MessageFormatError, match=rf"{kind.__name__}.*{other.__name__}"):
            received.body_as(other)


def test_body_as_without_a_body(arrive: Arrive) -> None:
    """A message without a body has none, as whatever class.

    Rows: M30. Section: API.
    """
    received = arrive(Message())
    assert received.is_body_assignable_to(str)
    assert received.body_as(str) is None
