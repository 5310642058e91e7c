"""Messages as plain dicts, for Pyro5 programs without this library (docs/design/0003)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from rmimom.errors import MessageFormatError
from rmimom.readonly import copied
from rmimom.values import Float, MapValue, PropertyValue

if TYPE_CHECKING:
    from rmimom.message import Message

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
_T = TypeVar("_T")


class PlainMessage(NamedTuple):
    """What the sender of a plain message may say; None where it said nothing."""

    body: object
    kind: str | None
    properties: Mapping[str, PropertyValue] | None
    priority: int | None
    persistent: bool | None
    time_to_live: float | None
    correlation_id: str | None
    reply_to: str | None
    type: str | None


def to_plain(message: Message) -> dict[str, object]:
    """The message as plain data, every value of a built-in type."""
    return {
        "body": _plain_body(message),
        "kind": message.kind,
        "properties": {name: _plain(value) for name, value in message.properties.items()},
        "priority": message.priority,
        "persistent": message.persistent,
        "correlation_id": message.correlation_id,
        "reply_to": str(message.reply_to) if message.reply_to is not None else None,
        "type": message.type,
        "message_id": message.message_id,
        "timestamp": message.timestamp,
        "expiration": message.expiration,
        "destination": str(message.destination) if message.destination is not None else None,
        "redelivered": message.redelivered,
        "delivery_count": message.delivery_count,
    }


def read_plain(data: object) -> PlainMessage:
    """Read a plain message; raises MessageFormatError naming the entry that is wrong."""
    if not isinstance(data, Mapping):
        raise MessageFormatError(f"a message must be a dict with the entry 'body', but this is a {type(data).__name__}")
    if "body" not in data:
        raise MessageFormatError("the message has no entry 'body'; for a message without body, give None")
    for name in data:
        if name not in _PLAIN_ENTRIES:
            raise MessageFormatError(
                f"a message has no entry {name!r}; allowed are {', '.join(_SENDERS_ENTRIES)}", entry=str(name)
            )
    return PlainMessage(
        body=_received_bytes(data["body"]),
        kind=_entry(data, "kind", (str,), "a str"),
        properties=_entry(data, "properties", (dict,), "a dict"),
        priority=_entry(data, "priority", (int,), "an int from 0 to 9"),
        persistent=_entry(data, "persistent", (bool,), "True or False"),
        time_to_live=_entry(data, "time_to_live", (int, float), "a number of seconds"),
        correlation_id=_entry(data, "correlation_id", (str,), "a str"),
        reply_to=_entry(data, "reply_to", (str,), "a str like queue://NAME"),
        type=_entry(data, "type", (str,), "a str"),
    )


def _plain_body(message: Message) -> object:
    body = message.body
    if message.kind == "map" and isinstance(body, Mapping):
        return {name: _plain(value) for name, value in body.items()}
    if message.kind == "stream" and isinstance(body, list | tuple):
        return [_plain(value) for value in body]
    return copied(body)


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
