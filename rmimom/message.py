"""The message that applications see: JMS headers, properties and a body (Jakarta Messaging 3.1 §3).

A message that was received keeps the frame it came in and reads headers, properties and body from it when they are
first asked for: an application that looks only at the body never pays for the rest.

Who sets what is table 3-1 of the specification: `correlation_id`, `reply_to` and `type` are the sender's;
`destination`, `delivery_mode`, `message_id`, `timestamp`, `expiration`, `delivery_time` and `priority` are set by the
send method; `redelivered` and `delivery_count` by the provider.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

import msgspec

from rmimom import frame as wire
from rmimom.body import decode_body, encode_body, infer_kind
from rmimom.destination import Destination, parse_destination
from rmimom.errors import IllegalStateError, MessageFormatError
from rmimom.headers import Header, Headers, headers_of
from rmimom.note import note_properties
from rmimom.values import Float, MapValue, PropertyValue, decode_properties, encode_properties

MAX_TIME: Final = 2**53
"""The latest time a header can hold, in milliseconds since 1970: exact in every JSON reader."""


Source: TypeAlias = msgspec.Raw | bytes | wire.Frame
"""What a received message is read from."""


# Names of this module, because each message received is asked for them.
_Frame: Final = wire.Frame
_decode_frame: Final = wire.decode_frame

UNREAD: Final = object()
"""The body of a received message that nobody looked at yet."""


class Acknowledger(Protocol):
    """Who carries out `Message.acknowledge` for a received message."""

    def acknowledge(self, message: Message) -> None:
        """Acknowledge the message as the session's mode asks; returns when the server has it on disk."""
        ...

    def nack(self, message: Message, reason: str, delay: float | timedelta | None, *, dead: bool) -> None:
        """Carry out `Message.nack`."""
        ...


class Message:
    """A message to send, or one that was received.

    `body` is a str, bytes, dict, list or None, or other plain data; `kind` tells how it travels: "text", "bytes",
    "map", "stream", "object" or "none".  A kind that is not given follows from the body: a dict of simple values is a
    map, a list of simple values a stream, and any other nesting of plain data an object.

    `properties` maps names to bool, int, float, str, None and the types of `rmimom.values`.
    Times are milliseconds since 1970 UTC, 0 for none.
    """

    __slots__ = ("_acknowledger", "_body", "_headers", "_note", "_properties", "_source", "_tag", "delivery_count")

    if TYPE_CHECKING:
        _acknowledger: Acknowledger | None
        _body: object
        _headers: Headers | None
        _note: str
        _properties: Mapping[str, PropertyValue] | None
        _source: Source | None
        _tag: int
        delivery_count: int

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
        """A message to send; raises MessageFormatError for a kind that does not exist."""
        if kind is not None and kind not in wire.KIND_NAMES:
            raise MessageFormatError(f"{kind!r} is no kind of message; the kinds are {', '.join(wire.KIND_NAMES)}")
        self._acknowledger = None
        self._source = None
        self._tag = 0
        self._note = ""
        self._body = body
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

        The frame is read when first asked for something; MessageFormatError is raised then.
        """
        message = cls.__new__(cls)
        message._source = source
        message._tag = tag
        message._note = note
        message._acknowledger = acknowledger
        message._body = UNREAD
        message._properties = None
        message._headers = None
        message.delivery_count = delivery_count
        return message

    @property
    def body(self) -> Any:
        """What the message holds, see the class."""
        body = self._body
        if body is UNREAD:
            source = self._source
            if type(source) is not _Frame:
                source = self._frame()
            body = self._body = decode_body(source.kind, source.body)
        return body

    @body.setter
    def body(self, body: Any) -> None:
        self._body = body

    @property
    def properties(self) -> Mapping[str, PropertyValue]:
        """The properties by name, see the class."""
        properties = self._properties
        if properties is None:
            properties = decode_properties(self._frame().properties)
            if self._note:
                properties = {**properties, **note_properties(self._note)}
            self._properties = properties
        return properties

    @properties.setter
    def properties(self, properties: Mapping[str, PropertyValue]) -> None:
        self._properties = dict(properties)

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
        told with a dead letter.  Returns when the server has it on disk.  Raises IllegalStateError for a message that
        was not received, or is acknowledged: `receive` in an AUTO_ACKNOWLEDGE session does that at once, an observer
        may still nack.
        """
        if self._acknowledger is None:
            raise IllegalStateError("the message was not received from a consumer, so it cannot be given back")
        self._acknowledger.nack(self, reason, delay, dead=dead)

    def __repr__(self) -> str:
        try:
            body = repr(self.body)
            shown = body if len(body) <= 60 else body[:57] + "..."
            parts = [self.kind, shown]
            if self.destination is not None:
                parts.append(f"destination={str(self.destination)!r}")
            if self.message_id:
                parts.append(f"message_id={self.message_id!r}")
            parts += [f"{name}={value!r}" for name, plain, value in self._unusual() if value != plain]
        except MessageFormatError as error:
            return f"<Message unreadable: {error}>"
        return f"<Message {' '.join(parts)}>"

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
            properties=encode_properties(self.properties),
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
        return {
            "body": self._plain_body(),
            "kind": self.kind,
            "properties": {name: _plain(value) for name, value in self.properties.items()},
            "priority": self.priority,
            "persistent": self.persistent,
            "correlation_id": self.correlation_id,
            "reply_to": str(self.reply_to) if self.reply_to is not None else None,
            "type": self.type,
            "message_id": self.message_id,
            "timestamp": self.timestamp,
            "expiration": self.expiration,
            "destination": str(self.destination) if self.destination is not None else None,
            "redelivered": self.redelivered,
            "delivery_count": self.delivery_count,
        }

    def _plain_body(self) -> object:
        body = self.body
        if self.kind == "map" and isinstance(body, Mapping):
            return {name: _plain(value) for name, value in body.items()}
        if self.kind == "stream" and isinstance(body, list | tuple):
            return [_plain(value) for value in body]
        return body

    @classmethod
    def from_dict(cls, data: object) -> Message:
        """Read a message that a Pyro5 program without this library made; all entries are optional but `body`.

        `time_to_live` is in seconds, 0 or None for ever.  Entries that the send method sets (`message_id`, `timestamp`
        and so on) may be there, as in a message that is passed on, and are not looked at.
        Raises MessageFormatError naming the entry that is wrong, InvalidDestinationError for a bad `reply_to`; body and
        properties are checked by `to_frame`.
        """
        if not isinstance(data, Mapping):
            raise MessageFormatError(
                f"a message must be a dict with the entry 'body', but this is a {type(data).__name__}"
            )
        if "body" not in data:
            raise MessageFormatError("the message has no entry 'body'; for a message without body, give None")
        for name in data:
            if name not in _PLAIN_ENTRIES:
                raise MessageFormatError(
                    f"a message has no entry {name!r}; allowed are {', '.join(_SENDERS_ENTRIES)}", entry=str(name)
                )
        message = cls(
            _received_bytes(data["body"]),
            kind=_entry(data, "kind", (str,), "a str"),
            properties=_entry(data, "properties", (dict,), "a dict"),
            correlation_id=_entry(data, "correlation_id", (str,), "a str"),
            reply_to=_entry(data, "reply_to", (str,), "a str like queue://NAME"),
            type=_entry(data, "type", (str,), "a str"),
        )
        priority = _entry(data, "priority", (int,), "an int from 0 to 9")
        if priority is not None:
            message.priority = check_priority(priority)
        if _entry(data, "persistent", (bool,), "True or False") is False:
            message.delivery_mode = wire.NON_PERSISTENT
        time_to_live = _entry(data, "time_to_live", (int, float), "a number of seconds")
        if time_to_live is not None:
            milliseconds(time_to_live, "time_to_live")
            message.time_to_live = time_to_live
        return message


_SENDERS_ENTRIES: Final = (
    "body",
    "kind",
    "properties",
    "priority",
    "persistent",
    "time_to_live",
    "correlation_id",
    "reply_to",
    "type",
)
_PLAIN_ENTRIES: Final = frozenset(_SENDERS_ENTRIES) | {
    "message_id",
    "timestamp",
    "expiration",
    "destination",
    "redelivered",
    "delivery_count",
}


def make_frame(
    destination: str,
    message_id: str,
    now: int,
    kind: int,
    body: bytes,
    *,
    properties: bytes = b"{}",
    priority: int = wire.DEFAULT_PRIORITY,
    mode: int = wire.PERSISTENT,
    time_to_live: int = 0,
    delay: int = 0,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    type: str | None = None,
) -> wire.Frame:
    """A frame from its parts.  All times are milliseconds; both they and the priority are checked by the caller."""
    return wire.Frame(
        kind,
        mode,
        priority,
        now,
        now + time_to_live if time_to_live else 0,
        now + delay if delay else 0,
        destination,
        message_id,
        len(properties),
        len(body),
        correlation_id,
        reply_to,
        type,
        properties,
        body,
    )


def check_priority(priority: object) -> int:
    """Return the priority if it is an int from 0 to 9, else raise MessageFormatError (§3.4.10)."""
    if type(priority) is int and 0 <= priority <= 9:
        return priority
    raise MessageFormatError(f"the priority is {priority!r}; it must be an int from 0 to 9")


def milliseconds(duration: float | timedelta | None, name: str) -> int:
    """A duration in seconds (or a timedelta) as whole milliseconds, rounded up; None is 0.

    Raises MessageFormatError, naming the setting, for one that is negative, not a number or too long.
    """
    if duration is None:
        return 0
    try:
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    except (TypeError, ValueError):
        raise MessageFormatError(f"{name} is {duration!r}; it must be a number of seconds or a timedelta") from None
    if not 0 <= seconds * 1000 <= MAX_TIME:
        raise MessageFormatError(f"{name} is {duration!r}; it must be a number of seconds, 0 or more")
    whole = int(seconds * 1000)
    return whole if whole == seconds * 1000 else whole + 1


_T = TypeVar("_T")


def _entry(data: Mapping[Any, Any], name: str, kinds: tuple[type[_T], ...], wanted: str) -> _T | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
        return value
    raise MessageFormatError(
        f"the message's entry {name!r} is a {type(value).__name__}; it must be {wanted}", entry=name
    )


def _received_bytes(body: object) -> object:
    """Serpent carries bytes as a small dict unless told otherwise; take that for what it means."""
    if isinstance(body, dict) and body.keys() == {"data", "encoding"} and body["encoding"] == "base64":
        try:
            return base64.b64decode(body["data"], validate=True)
        except (TypeError, ValueError):
            pass  # a map that happens to have these names
    return body


def _plain(value: PropertyValue | MapValue) -> PropertyValue | MapValue:
    """The value as one of the built-in types, which every serializer knows."""
    kind = type(value)
    if isinstance(value, bool) or kind in _BUILT_IN:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, Float) else str(value)


_BUILT_IN: Final = frozenset({int, float, str, bytes, type(None)})
