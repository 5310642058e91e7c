"""The message that applications see: JMS headers, properties and a body (Jakarta Messaging 3.1 §3).

A message that was received keeps the frame it came in and reads headers, properties and body from it when they are
first asked for: an application that looks only at the body never pays for the rest.  Its properties and its body are
read-only until they are cleared, each by itself (§3.5.3, §3.11.2).

Who sets what is table 3-1 of the specification: `correlation_id`, `reply_to` and `type` are the sender's;
`destination`, `delivery_mode`, `message_id`, `timestamp`, `expiration`, `delivery_time` and `priority` are set by the
send method; `redelivered` and `delivery_count` by the provider.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias, TypeVar

import msgspec

from rmimom import frame as wire
from rmimom.body import decode_body, encode_body, infer_kind, number_of_kind
from rmimom.destination import Destination, parse_destination
from rmimom.errors import IllegalStateError, MessageFormatError, MessageNotReadableError, MessageNotWriteableError
from rmimom.headers import Header, Headers, headers_of
from rmimom.note import note_properties
from rmimom.outgoing import check_priority, make_frame, milliseconds
from rmimom.plain import read_plain, to_plain
from rmimom.readonly import ReadOnlyDict, copied, frozen
from rmimom.typed_properties import TypedProperties
from rmimom.values import PropertyValue, decode_properties, encode_properties, settable_properties

Source: TypeAlias = msgspec.Raw | bytes | wire.Frame
"""What a received message is read from."""


# Names of this module, because each message received is asked for them.
_Frame: Final = wire.Frame
_decode_frame: Final = wire.decode_frame

_CHANGEABLE: Final = frozenset({dict, list, tuple})
"""Bodies that must be made read-only in a received message; a tuple may hold one."""

UNREAD: Final = object()
"""The body of a message that nobody looked at since it was received or written to."""

BODY_LOCKED: Final = 1
PROPERTIES_LOCKED: Final = 2
LOCKED: Final = BODY_LOCKED | PROPERTIES_LOCKED
"""What of a message is read-only: all of it, when it was just received."""

_CLASSES: Final[dict[int, type[Message]]] = {}
"""The class of a received message by the number of its kind; the classes of `rmimom.kinds` enter themselves."""

_B = TypeVar("_B")


class Acknowledger(Protocol):
    """Who carries out `Message.acknowledge` for a received message."""

    def acknowledge(self, message: Message) -> None:
        """Acknowledge the message as the session's mode asks; returns when the server has it on disk."""
        ...

    def nack(self, message: Message, reason: str, delay: float | timedelta | None, *, dead: bool) -> None:
        """Carry out `Message.nack`."""
        ...


class Message(TypedProperties):
    """A message to send, or one that was received.

    `body` is a str, bytes, dict, list or None, or other plain data; `kind` tells how it travels: "text", "bytes",
    "map", "stream", "object" or "none".  A kind that is not given follows from the body: a dict of simple values is a
    map, a list of simple values a stream, and any other nesting of plain data an object.  The message keeps a copy of
    it, which can be changed as long as the message is not read-only.  A received message is of the class of its kind,
    see `rmimom.kinds`.

    `properties` maps names to bool, int, float, str, None and the types of `rmimom.values`.
    Times are milliseconds since 1970 UTC, 0 for none.
    """

    __slots__ = (
        "_acknowledger",
        "_body",
        "_headers",
        "_locked",
        "_note",
        "_properties",
        "_source",
        "_tag",
        "delivery_count",
    )

    if TYPE_CHECKING:
        _acknowledger: Acknowledger | None
        _body: object
        _headers: Headers | None
        _locked: int
        _note: str
        _properties: dict[str, PropertyValue] | None
        _source: Source | None
        _tag: int
        delivery_count: int

    _kind: ClassVar[str | None] = None

    destination = Header[Destination | None]("Where the message was sent (§3.4.1); None before it is.")
    delivery_mode = Header[int]("2 if the message survives a restart of the server, else 1 (§3.4.2).")
    message_id = Header[str | None]("The name of the message, unlike any other, beginning with ID: (§3.4.3).")
    timestamp = Header[int]("When it was sent (§3.4.4).")
    correlation_id = Header[str | None]("What it belongs to, in the sender's words (§3.4.5).")
    reply_to = Header[Destination | None]("Where an answer is wanted (§3.4.6).")
    type = Header[str | None]("The type of message, in the application's words (§3.4.8).")
    expiration = Header[int]("When it is no longer wanted (§3.4.9).")
    delivery_time = Header[int]("Before when it must not be delivered (§3.4.13).")
    priority = Header[int]("From 0 to 9, 4 unless the sender says otherwise (§3.4.10).")
    time_to_live = Header[float]("Seconds that a message not sent yet is to live; only `to_frame` looks at it.")

    def __init_subclass__(cls, *, kind: str | None = None) -> None:
        """A class of messages of one kind."""
        if kind is not None:
            cls._kind = kind
            _CLASSES[number_of_kind(kind)] = cls

    def __init__(
        self,
        body: object = None,
        *,
        kind: str | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
        correlation_id: str | None = None,
        reply_to: Destination | str | None = None,
        type: str | None = None,
    ) -> None:
        """A message to send; raises MessageFormatError for a kind that does not exist, or a body not of the class."""
        fixed = self._kind
        if kind is not None:
            number_of_kind(kind)
            if fixed is not None and kind != fixed:
                raise MessageFormatError(
                    f"a {self.__class__.__name__} is of the kind {fixed!r} and cannot be of {kind!r}"
                )
        kind = kind or fixed
        self._acknowledger = None
        self._source = None
        self._tag = 0
        self._note = ""
        self._locked = 0
        self._put_body(body)
        self._properties = {} if properties is None else dict(properties)
        self._headers = Headers(
            kind=kind,
            correlation_id=correlation_id,
            reply_to=parse_destination(reply_to) if isinstance(reply_to, str) else reply_to,
            type=type,
        )
        self.delivery_count = 0

    @classmethod
    def from_frame(
        cls,
        source: Source,
        *,
        tag: int = 0,
        delivery_count: int = 1,
        acknowledger: Acknowledger | None = None,
        note: str = "",
    ) -> Message:
        """A received message; `note` is what the server told beside it.

        It is of the class of its kind.  The frame is read when first asked for something; MessageFormatError is raised
        then.
        """
        kind = source.kind if isinstance(source, _Frame) else wire.kind_of(source)
        message = object.__new__(classes_of(cls).get(kind, cls))
        message._source = source
        message._tag = tag
        message._note = note
        message._acknowledger = acknowledger
        message._body = UNREAD
        message._properties = None
        message._headers = None
        message._locked = LOCKED
        message.delivery_count = delivery_count
        return message

    @property
    def body(self) -> Any:
        """What the message holds, see the class."""
        body = self._body
        if body is UNREAD:
            if not self._locked & BODY_LOCKED:
                return self._written_body()
            source = self._source
            if type(source) is not _Frame:
                source = self._frame()
            body = decode_body(source.kind, source.body)
            if type(body) in _CHANGEABLE:
                body = frozen(body)
            self._body = body
        return body

    @body.setter
    def body(self, body: Any) -> None:
        self._check_body_writable()
        self._put_body(body)

    def clear_body(self) -> None:
        """Empty the body, which can be written then as that of a new message; the properties stay (§3.11.1)."""
        self._locked &= ~BODY_LOCKED
        self._put_body(None)

    def body_as(self, wanted: builtins.type[_B]) -> _B | None:
        """The body as str, bytes, dict, list or whatever class it is of, `object` among them; None without a body.

        Dicts and lists are copies, which can be changed.  Raises MessageFormatError, naming both types, if the body is
        not of the class (getBody of JMS, which has no class for a stream).
        """
        if not self.is_body_assignable_to(wanted):
            raise MessageFormatError(
                f"the body of the {self.kind} message is a {_plain_type(self.body)}, not a {wanted.__name__}",
                found=_plain_type(self.body),
                wanted=wanted.__name__,
            )
        return copied(self.body)  # type: ignore[no-any-return]

    def is_body_assignable_to(self, wanted: builtins.type[Any]) -> bool:
        """Whether `body_as` returns the body as this class."""
        body = self.body
        return body is None or isinstance(body, wanted)

    def _written_body(self) -> Any:
        """The body of a message that was written to piece by piece, see `UNREAD`; a plain one never is."""
        return None

    def _put_body(self, body: object) -> None:
        """Keep a copy of what is to be the body (§3.12)."""
        self._body = copied(body)

    def _lock_body(self) -> None:
        self._locked |= BODY_LOCKED

    def _check_body_writable(self) -> None:
        if self._locked & BODY_LOCKED:
            raise MessageNotWriteableError(
                f"the body of this {self.__class__.__name__} is read-only; call clear_body() to write another (§3.11.2)"
            )

    def _check_body_readable(self) -> None:
        if not self._locked & BODY_LOCKED:
            raise MessageNotReadableError(
                f"the body of this {self.__class__.__name__} is being written; call reset() to read it (§3.11)"
            )

    @property
    def properties(self) -> Mapping[str, PropertyValue]:
        """The properties by name, see the class; a dict, which in a received message is read-only."""
        properties = self._properties
        if properties is None:
            found = decode_properties(self._frame().properties)
            if self._note:
                found.update(note_properties(self._note))
            properties = self._properties = ReadOnlyDict(found)
        return properties

    @properties.setter
    def properties(self, properties: Mapping[str, PropertyValue]) -> None:
        self._changeable_properties()
        self._properties = dict(properties)

    def clear_properties(self) -> None:
        """Delete all properties, so that others can be set; the body stays (§3.5.7)."""
        self._locked &= ~PROPERTIES_LOCKED
        self._properties = {}

    def _changeable_properties(self) -> dict[str, PropertyValue]:
        if self._locked & PROPERTIES_LOCKED:
            raise MessageNotWriteableError(
                "the properties of a received message are read-only; call clear_properties() to set others (§3.5.3)"
            )
        assert self._properties is not None
        return self._properties

    def _sent_properties(self) -> Mapping[str, PropertyValue]:
        """The properties that are sent: of a message that is passed on, those that its sender had set."""
        properties = self.properties
        return settable_properties(properties) if self._locked & PROPERTIES_LOCKED else properties

    @property
    def _is_counted(self) -> bool:
        return bool(self._locked & PROPERTIES_LOCKED)

    def _original(self) -> Source:
        """What came from the server, whatever the application changed."""
        assert self._source is not None
        return self._source

    def _frame(self) -> wire.Frame:
        source = self._source
        if type(source) is not _Frame:
            # The batch that the frame came in can be forgotten now.
            source = self._source = _decode_frame(source)  # type: ignore[arg-type]  # bytes, since no Frame
        return source

    def _read_headers(self) -> Headers:
        headers = self._headers
        if headers is None:
            headers = self._headers = headers_of(self._frame())
        return headers

    @property
    def kind(self) -> str:
        """How the body travels: "none", "text", "bytes", "map", "stream" or "object" (§3.11)."""
        return self._asked_kind or wire.KIND_NAMES[infer_kind(self.body)]

    @property
    def _asked_kind(self) -> str | None:
        return self._read_headers().kind

    @property
    def redelivered(self) -> bool:
        """Whether the message was delivered before; then `delivery_count` is 2 or more (§3.4.7)."""
        return self.delivery_count > 1

    @property
    def persistent(self) -> bool:
        """Whether the message survives a restart of the server (§3.4.2)."""
        return self.delivery_mode == wire.PERSISTENT

    def acknowledge(self) -> None:
        """Acknowledge the message, in a session of mode CLIENT_ACKNOWLEDGE with all that the session delivered before.

        Returns when the acknowledgement is on the server's disk; in the other modes, where the session acknowledges by
        itself, there is nothing to do.  Raises IllegalStateError for a message that was not received, or whose session
        is closed, and ConnectionFailedError when no server answers in time (§6.2.10).
        """
        if self._acknowledger is None:
            raise IllegalStateError("the message was not received from a consumer, so it cannot be acknowledged")
        self._acknowledger.acknowledge(self)

    def nack(self, reason: str = "", *, delay: float | timedelta | None = None, dead: bool = False) -> None:
        """Say that the work on this message failed: it is delivered again, or becomes a dead letter.

        When and how often it is delivered again says the redelivery policy of its destination; `delay` in seconds
        (0: at once) overrides it for this time.  `dead` makes it a dead letter without another attempt, and `reason` is
        told with a dead letter.  Returns when the server has it on disk.  If the server is lost meanwhile it is told
        again, and may count one failure more.

        Raises IllegalStateError for a message that was not received, or is acknowledged: `receive` in an
        AUTO_ACKNOWLEDGE session does that at once, an observer may still nack.  Raises ConnectionFailedError if the
        server is not found again in time.
        """
        if self._acknowledger is None:
            raise IllegalStateError("the message was not received from a consumer, so it cannot be given back")
        self._acknowledger.nack(self, reason, delay, dead=dead)

    def __repr__(self) -> str:
        try:
            body = repr(self.body)
            shown = body if len(body) <= 60 else body[:57] + "..."
            parts = [shown] if self._kind else [self.kind, shown]
            if self.destination is not None:
                parts.append(f"destination={str(self.destination)!r}")
            if self.message_id:
                parts.append(f"message_id={self.message_id!r}")
            parts += [f"{name}={value!r}" for name, plain, value in self._unusual() if value != plain]
        except MessageFormatError as error:
            return f"<{self.__class__.__name__} unreadable: {error}>"
        return f"<{self.__class__.__name__} {' '.join(parts)}>"

    def _unusual(self) -> list[tuple[str, object, object]]:
        return [
            ("priority", wire.DEFAULT_PRIORITY, self.priority),
            ("persistent", True, self.persistent),
            ("properties", {}, self.properties),
            ("correlation_id", None, self.correlation_id),
            ("reply_to", None, str(self.reply_to) if self.reply_to else None),
            ("type", None, self.type),
            ("expiration", 0, self.expiration),
            ("delivery_time", 0, self.delivery_time),
            ("redelivered", False, self.redelivered),
        ]

    def to_frame(self, destination: Destination | str, *, message_id: str, now: int, delay: float = 0.0) -> wire.Frame:
        """The message as a frame for `destination`, with the message's own priority, delivery mode and time to live.

        `now` is the time of sending, milliseconds since 1970; `delay` in seconds is how long nobody may get it.
        Raises MessageFormatError if the body, a property or a header cannot be sent.
        """
        kind, body = encode_body(self.body, self._asked_kind)
        return make_frame(
            str(destination),
            message_id,
            now,
            kind,
            body,
            properties=encode_properties(self._sent_properties()),
            priority=self.priority,
            mode=self.delivery_mode,
            time_to_live=milliseconds(self.time_to_live, "time_to_live"),
            delay=milliseconds(delay, "delay"),
            correlation_id=self.correlation_id,
            reply_to=str(self.reply_to) if self.reply_to is not None else None,
            type=self.type,
        )

    def to_dict(self) -> dict[str, object]:
        """The message as plain data for a Pyro5 program without this library; every value is of a built-in type."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> Message:
        """Read a message that a Pyro5 program without this library made; all entries are optional but `body`.

        `time_to_live` is in seconds, 0 or None for ever.  Entries that the send method sets (`message_id`, `timestamp`
        and so on) may be there, as in a message that is passed on, and are not looked at.
        Raises MessageFormatError naming the entry that is wrong, InvalidDestinationError for a bad `reply_to`; body and
        properties are checked by `to_frame`.
        """
        found = read_plain(data)
        message = cls(
            found.body,
            kind=found.kind,
            properties=found.properties,
            correlation_id=found.correlation_id,
            reply_to=found.reply_to,
            type=found.type,
        )
        if found.priority is not None:
            message.priority = check_priority(found.priority)
        if found.persistent is False:
            message.delivery_mode = wire.NON_PERSISTENT
        if found.time_to_live is not None:
            milliseconds(found.time_to_live, "time_to_live")
            message.time_to_live = found.time_to_live
        return message


_CLASSES[wire.UNKNOWN] = _CLASSES[wire.NONE] = Message


def classes_of(base: type[Message]) -> Mapping[int, type[Message]]:
    """The class of a received message by the number of its kind, `wire.UNKNOWN` among them.

    Each is derived from the class of its kind, and from `base`, which may add methods to Message.
    """
    return _CLASSES if base is Message else _derived_classes(base)


def _derived_classes(base: type[Message]) -> Mapping[int, type[Message]]:
    found = _derived.get(base)
    if found is None:
        found = _derived[base] = {
            number: base if kind is Message or base._kind else type(kind.__name__, (base, kind), {"__slots__": ()})
            for number, kind in _CLASSES.items()
        }
    return found


_derived: Final[dict[type[Message], dict[int, type[Message]]]] = {}


def _plain_type(body: object) -> str:
    """The class of a body in the words of the application: a read-only dict is a dict."""
    return "dict" if isinstance(body, dict) else "list" if isinstance(body, list) else type(body).__name__
