"""What the headers of SEND and MESSAGE mean for a message, and the other way round.

A SEND with `content-length` is a bytes message, one without is a text message.  What is no header of a message is a
property of type String, under its own name; on the way back every property is a header, whatever its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from rmimom import frame as wire
from rmimom.destination import Destination
from rmimom.errors import MessageFormatError
from rmimom.note import TAKEN_FROM, decode_note, note_properties
from rmimom.outgoing import MAX_TIME, make_frame
from rmimom.stomp import transformations
from rmimom.stomp.codec import Frame, escape
from rmimom.stomp.destinations import Destinations
from rmimom.values import MAX_LONG, PropertyValue, decode_properties

DELAY: Final = "AMQ_SCHEDULED_DELAY"
USER_ID: Final = "JMSXUserID"

SEND_HEADERS: Final = frozenset(
    {
        "destination",
        "content-length",
        "receipt",
        "transaction",
        "persistent",
        "priority",
        "expires",
        "expiration",
        "timestamp",
        "correlation-id",
        "reply-to",
        "type",
        "amq-msg-type",
        DELAY,
        # The server's to say.
        "message-id",
        "redelivered",
        "subscription",
        "ack",
        USER_ID,
        "JMSXDeliveryCount",
        "original-destination",
    }
)
"""Headers of SEND that do not become properties."""

_USUAL: Final = frozenset({"destination", "content-length", "receipt", "transaction", "persistent"})
"""Headers that most messages have; with no others there is nothing more to read."""

SCHEDULES: Final = ("AMQ_SCHEDULED_PERIOD", "AMQ_SCHEDULED_REPEAT", "AMQ_SCHEDULED_CRON")
"""Headers of ActiveMQ's scheduler that ask for more than a delay; with any of them the core sees to the delay, too."""

_MESSAGE_HEADERS: Final = SEND_HEADERS - {"reply-to", DELAY, USER_ID}
"""Names that a property cannot have on its way out, because the header means something else."""
_INTEGERS: Final = frozenset({"JMSXGroupSeq"})

_encode_json = msgspec.json.Encoder().encode


def frame_of(
    sent: Frame,
    destination: Destination,
    reply_to: str | None,
    *,
    message_id: str,
    now: int,
    persistent_default: bool,
    user: str = "",
) -> bytes:
    """The message that a SEND makes; raises MessageFormatError naming a header whose value cannot be read.

    `reply_to` is None also if the header names no destination of ours: then it goes along as it is, as a property.
    `user` is who sends it, if the message is to say that (§3.5.9).
    """
    headers, body = sent.headers, sent.body
    wanted = headers.get("persistent")
    persistent = wanted.lower() == "true" if wanted is not None else persistent_default
    mode = wire.PERSISTENT if persistent else wire.NON_PERSISTENT
    if not user and "content-length" in headers and _USUAL.issuperset(headers):
        return wire.encode(make_frame(str(destination), message_id, now, wire.BYTES, body, mode=mode))
    properties: dict[str, object] = {name: value for name, value in headers.items() if name not in SEND_HEADERS}
    if user:
        properties[USER_ID] = user
    scheduled = any(name in headers for name in SCHEDULES)
    if scheduled and DELAY in headers:
        properties[DELAY] = headers[DELAY]
    for name in _INTEGERS & properties.keys():
        properties[name] = {"int": _number(headers, name, -(2**31), 2**31 - 1)}
    kind = wire.BYTES if "content-length" in headers else wire.TEXT
    asked = headers.get("amq-msg-type")
    if asked is not None:
        kind = {"text": wire.TEXT, "bytes": wire.BYTES}.get(asked, kind)
    if "transformation" in headers:
        kind, body = transformations.read(headers["transformation"], kind, body, properties)
    if kind == wire.TEXT and not body.isascii() and not _is_text(body):
        kind = wire.BYTES
    if reply_to is None and "reply-to" in headers:
        properties["reply-to"] = headers["reply-to"]
    timestamp = _number(headers, "timestamp", 0, MAX_TIME) if "timestamp" in headers else now
    delay = 0
    if DELAY in headers and not scheduled:
        delay = _after(timestamp, now + _number(headers, DELAY, 0, MAX_TIME))
    made = make_frame(
        str(destination),
        message_id,
        timestamp,
        kind,
        body,
        properties=_encode_json(properties) if properties else b"{}",
        priority=min(max(_number(headers, "priority", -MAX_LONG, MAX_LONG), 0), 9) if "priority" in headers else 4,
        mode=mode,
        time_to_live=_after(timestamp, _expiration(headers, now)),
        delay=delay,
        correlation_id=headers.get("correlation-id"),
        reply_to=reply_to,
        type=headers.get("type"),
    )
    return wire.encode(made)


def _expiration(headers: Mapping[str, str], now: int) -> int:
    """When the message is no longer wanted, 0 for never: ActiveMQ's header has the time, RabbitMQ's how long it is."""
    if "expires" in headers:
        return _number(headers, "expires", 0, MAX_TIME)
    return now + _number(headers, "expiration", 0, MAX_TIME) if "expiration" in headers else 0


def _after(timestamp: int, when: int) -> int:
    """How long after the time stamp that is; never 0, which would mean that there is no such time."""
    return (when - timestamp) or -1 if when else 0


def _number(headers: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = headers[name].strip()
    try:
        number = int(text) if len(text) < 20 and text.isascii() and "_" not in text else most + 1
    except ValueError:
        number = most + 1
    if not least <= number <= most:
        raise MessageFormatError(f"{name} is {headers[name][:80]!r}; it must be a whole number", header=name)
    return number


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


class Writer:
    """Writes MESSAGE frames for one connection, whose version and names it knows.

    A frame is a head that differs from subscription to subscription, and a rest that does not.
    """

    def __init__(self, names: Destinations, version: str) -> None:
        self._names = names
        self._version = version

    def destination(self, origin: str) -> str:
        """The line that tells where a message comes from."""
        return self._line("destination", self._names.show(origin))

    def rest(self, frame: wire.Frame, note: str = "", transformation: str = "") -> bytes:
        """What every subscription that wants this transformation is told of a message, with its body."""
        body = frame.body
        error = transformed = ""
        if frame.kind > wire.BYTES:
            body, transformed, error = transformations.write(transformation, frame.kind, body)
        head = (
            f"expires:{frame.expiration}\nmessage-id:{escape(frame.message_id, self._version)}\n"
            f"priority:{frame.priority}\ntimestamp:{frame.timestamp}\n"
        )
        if frame.kind == wire.BYTES or b"\x00" in body:
            head += f"content-length:{len(body)}\n"
        if frame.mode == wire.PERSISTENT:
            head += "persistent:true\n"
        if frame.correlation_id is not None:
            head += self._line("correlation-id", frame.correlation_id)
        if frame.reply_to:
            head += self._line("reply-to", self._names.show(frame.reply_to))
        if frame.type is not None:
            head += self._line("type", frame.type)
        if transformed:
            head += f"transformation:{transformed}\n"
        if error:
            head += self._line("transformation-error", error)
        if note:
            head += self._of_note(note)
        properties = frame.properties
        if properties != b"{}" and properties:
            head += self._of_properties(properties, skip_transformation=bool(transformed))
        return b"%b\n%b\x00" % (head.encode("utf-8", "replace"), body)

    def message(self, lines: str, ack: str, count: int, rest: bytes) -> bytes:
        """A whole frame: `lines` and `ack` are written already, as lines of the head."""
        again = "redelivered:true\n" if count > 1 else ""
        return b"%b%b" % (f"MESSAGE\n{lines}{ack}{again}".encode("utf-8", "replace"), rest)

    def _line(self, name: str, value: str) -> str:
        return f"{escape(name, self._version)}:{escape(value, self._version)}\n"

    def _of_note(self, note: str) -> str:
        read = decode_note(note)
        first = ""
        if read.original_destination:
            first = self._line("original-destination", self._names.show(read.original_destination))
        told = note_properties(note)
        told.pop(TAKEN_FROM, None)  # the header destination says it
        return first + "".join([self._line(name, _text(value)) for name, value in told.items()])

    def _of_properties(self, data: bytes, *, skip_transformation: bool) -> str:
        try:
            properties = decode_properties(data)
        except MessageFormatError:
            return ""  # nobody could read them, and the message is worth more
        return "".join(
            [
                self._line(name, value if type(value) is str else _text(value))
                for name, value in properties.items()
                if not (name in _MESSAGE_HEADERS or value is None or (skip_transformation and name == "transformation"))
            ]
        )


def _text(value: PropertyValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(float(value)), repr(float(value)))
    return str(int(value)) if isinstance(value, int) else str(value)
