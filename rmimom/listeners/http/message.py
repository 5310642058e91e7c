"""Messages as JSON.

Properties and the entries of map and stream messages are written as on the wire: a value of a type that JSON does not
know is an object with one member that names it, such as {"short": 3}, {"float": 0.5}, {"double": "nan"} or
{"bytes": "AAE="} (base64).  So nothing is lost when what was read is sent again.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from rmimom import frame as wire
from rmimom.body import decode_body, encode_body
from rmimom.destination import Destination, parse_destination
from rmimom.errors import InvalidDestinationError, MessageFormatError
from rmimom.frame import KIND_NAMES, PERSISTENT, Frame, decode_frame
from rmimom.listeners.http.problems import bad_request
from rmimom.note import decode_note
from rmimom.outgoing import make_frame, milliseconds
from rmimom.values import decode_map, decode_properties, decode_stream, encode_properties

PREVIEW: Final = 200
"""Characters of a body that are shown in a list."""
MOST_BODY: Final = 16 * 1024 * 1024
"""Bytes of a body that one answer holds at most; a download has no such bound."""

BodyForm: TypeAlias = Literal["auto", "text", "json", "hex", "base64"]
State: TypeAlias = Literal["ready", "delayed", "held", "in doubt"]


class DeadLetter(msgspec.Struct, frozen=True):
    """Why a message is a dead letter, and where it came from; `dead_at` in milliseconds since 1970 UTC."""

    original_destination: str
    reason: str
    failures: int
    dead_at: int


class Summary(msgspec.Struct, frozen=True):
    """A message in a list; times in milliseconds since 1970 UTC, 0 for none; `size` of the whole message in bytes.

    `deliveries` counts how often it was given to a consumer and came back, `preview` is the beginning of its body.
    `id` is the number under which the server knows it, `message_id` what its sender's library called it.
    """

    id: int
    message_id: str
    destination: str
    kind: str
    persistent: bool
    priority: int
    timestamp: int
    expiration: int
    delivery_time: int
    correlation_id: str | None
    reply_to: str | None
    type: str | None
    size: int
    deliveries: int
    preview: str
    properties: dict[str, Any]
    moved_at: int = 0
    retried_at: int = 0
    dead_letter: DeadLetter | None = None


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """A body in the form asked for; `size` in bytes.  `truncated` says that there is more than was asked for.

    The form "auto" is text for text messages, json for maps, streams and objects, and hex for bytes.  What cannot be
    shown as text or JSON is shown as hex.
    """

    form: str
    size: int
    text: str | None = None
    json: Any = None
    hex: str | None = None
    base64: str | None = None
    truncated: bool = False


class MessageDetail(msgspec.Struct, frozen=True):
    """A message as a whole, and where it is: ready, delayed, held by a consumer, or in doubt after a restart."""

    message: Summary
    state: str
    body: Body


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to send.

    Without a `kind`, text makes a text message, null one without a body, an object a map message (or an object message
    if its entries are not all simple), a list a stream message likewise.  A bytes message has its body in base64 or, as
    `encoding` says, in hex.  `time_to_live` and `delay` are in seconds, 0 for ever and at once.  `count` sends it so
    many times.
    """

    body: Any = None
    kind: Literal["none", "text", "bytes", "map", "stream", "object"] | None = None
    encoding: Literal["base64", "hex"] = "base64"
    properties: dict[str, Any] = {}
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = wire.DEFAULT_PRIORITY
    persistent: bool = True
    time_to_live: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    delay: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    correlation_id: str | None = None
    reply_to: str | None = None
    type: str | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


def summary_of(number: int, data: bytes | msgspec.Raw, deliveries: int, note_text: str) -> Summary:
    """A message for a list."""
    frame = decode_frame(data)
    note = decode_note(note_text)
    dead = DeadLetter(note.original_destination, note.reason, note.failures, note.dead_at) if note.is_dead else None
    return Summary(
        id=number,
        message_id=_clean(frame.message_id),
        destination=_clean(frame.destination),
        kind=KIND_NAMES[frame.kind],
        persistent=frame.mode == PERSISTENT,
        priority=frame.priority,
        timestamp=frame.timestamp,
        expiration=frame.expiration,
        delivery_time=frame.delivery_time,
        correlation_id=_clean(frame.correlation_id),
        reply_to=_clean(frame.reply_to),
        type=_clean(frame.type),
        size=len(data),
        deliveries=deliveries,
        preview=_preview(frame),
        properties=_properties(frame),
        moved_at=note.moved_at,
        retried_at=note.retried_at,
        dead_letter=dead,
    )


def _properties(frame: Frame) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(frame.properties, type=dict[str, Any]) if frame.properties else {}
    except msgspec.MsgspecError:
        return {}  # the sender's library checked them; should they be unreadable, the message is shown all the same
    return _jsonable(found)  # type: ignore[no-any-return]


def _preview(frame: Frame) -> str:
    if frame.kind == wire.BYTES:
        return frame.body[: PREVIEW // 2].hex()
    return text_of(frame, 4 * PREVIEW)[:PREVIEW]


def text_of(frame: Frame, most: int | None = None) -> str:
    """The body as text, for people and for a search: that of a map, a stream or an object as it is on the wire."""
    body = frame.body if most is None else frame.body[:most]
    return body.decode("utf-8", "ignore" if most is not None else "replace")


def body_of(frame: Frame, form: BodyForm, most: int) -> Body:
    """The body in this form, its first `most` bytes if that can be cut."""
    size = len(frame.body)
    if form in {"auto", "json"} and frame.kind != wire.BYTES and (form == "json" or frame.kind != wire.TEXT):
        try:
            if size <= most:
                return Body("json", size, json=_jsonable(_json_value(frame)))
        except (MessageFormatError, msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            pass
    data = frame.body[:most]
    truncated = size > most
    if form == "text" or (form in {"auto", "json"} and frame.kind != wire.BYTES):
        try:
            if frame.kind == wire.TEXT and decode_body(frame.kind, frame.body) is None:
                return Body("text", 0)
            return Body("text", size, text=_decode_cut(data, truncated=truncated), truncated=truncated)
        except (UnicodeDecodeError, MessageFormatError):
            pass
    if form == "base64":
        return Body("base64", size, base64=base64.b64encode(data).decode(), truncated=truncated)
    return Body("hex", size, hex=data.hex(), truncated=truncated)


def _decode_cut(data: bytes, *, truncated: bool) -> str:
    if not truncated:
        return data.decode()
    # The last character may have been cut in two.
    for end in range(len(data), max(len(data) - 4, -1), -1):
        try:
            return data[:end].decode()
        except UnicodeDecodeError:
            continue
    return data.decode()


def _json_value(frame: Frame) -> Any:
    if frame.kind == wire.OBJECT:
        return decode_body(frame.kind, frame.body)
    return msgspec.json.decode(frame.body) if frame.body else None


def _jsonable(value: Any) -> Any:
    """The value as JSON can hold it: keys are text, bytes are base64, and what not every JSON reader takes is text."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else {"double": str(value)}
    if isinstance(value, bytes | bytearray):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {_clean(key if isinstance(key, str) else str(key)): _jsonable(inner) for key, inner in value.items()}
    return [_jsonable(inner) for inner in value]


def _clean(text: Any) -> Any:
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


def frames_of(asked: NewMessage, destination: Destination, message_ids: list[str], now: int) -> list[bytes]:
    """The frames of a message to send, one for each id.

    Raises Refusal or MessageFormatError for what no message can be.
    """
    kind, body = _encode_asked(asked)
    properties = encode_properties(decode_properties(_encode_json(asked.properties)))
    time_to_live = milliseconds(asked.time_to_live, "time_to_live")
    delay = milliseconds(asked.delay, "delay")
    reply_to = None
    if asked.reply_to:
        try:
            reply_to = str(parse_destination(asked.reply_to))
        except InvalidDestinationError as error:
            raise bad_request(f"reply_to: {error.text}") from None
    for name, text in (("correlation_id", asked.correlation_id), ("type", asked.type)):
        if text is not None and _clean(text) != text:
            raise bad_request(f"{name} holds text that is not Unicode")
    return [
        wire.encode(
            make_frame(
                str(destination),
                message_id,
                now,
                kind,
                body,
                properties=properties,
                priority=asked.priority,
                mode=PERSISTENT if asked.persistent else wire.NON_PERSISTENT,
                time_to_live=time_to_live,
                delay=delay,
                correlation_id=asked.correlation_id,
                reply_to=reply_to,
                type=asked.type,
            )
        )
        for message_id in message_ids
    ]


def _encode_asked(asked: NewMessage) -> tuple[int, bytes]:
    kind, body = asked.kind, asked.body
    if kind == "bytes":
        if not isinstance(body, str):
            raise bad_request(f"the body of a bytes message is text in {asked.encoding}")
        return encode_body(_read_bytes(body, asked.encoding), kind)
    if kind == "map" or (kind is None and isinstance(body, dict)):
        try:
            return encode_body(decode_map(_encode_json(body)), "map")
        except MessageFormatError:
            if kind == "map":
                raise
    elif kind == "stream" or (kind is None and isinstance(body, list)):
        try:
            return encode_body(decode_stream(_encode_json(body)), "stream")
        except MessageFormatError:
            if kind == "stream":
                raise
    elif kind is None and not isinstance(body, str) and body is not None:
        return encode_body(body, "object")
    return encode_body(body, kind)


def _read_bytes(text: str, encoding: str) -> bytes:
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except ValueError as error:
        raise bad_request(f"the body is not {encoding}: {error}") from None


def _encode_json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError) as error:
        raise MessageFormatError(f"the message holds what JSON cannot: {error}") from None


def copy_of(frame: Frame, destination: Destination, message_id: str) -> bytes:
    """The same message for another destination, under an id of its own."""
    return wire.encode(msgspec.structs.replace(frame, destination=str(destination), message_id=message_id))
