"""Bodies that STOMP has no kind for: maps, streams and objects travel as JSON text.

`transformation` names the form.  `jms-map-json` and `jms-object-json` on a SEND make a map or object message of JSON:
a plain object, or the form in which ActiveMQ writes maps.  A subscriber who asks for `jms-map-json` or `jms-json` gets
ActiveMQ's form; one who asks for nothing gets a plain JSON object, which every language can read.  The XML forms are
not there: what asks for one stays text and says so in `transformation-error`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from rmimom import frame as wire
from rmimom.body import decode_body
from rmimom.errors import MessageFormatError
from rmimom.values import Byte, Char, Float, Int, Short, encode_map, encode_object

ERROR: Final = "transformation-error"

_NAMES: Final = {
    wire.MAP: "jms-map-json",
    wire.STREAM: "jms-stream-json",
    wire.OBJECT: "jms-object-json",
}
_XML: Final = frozenset({"jms-xml", "jms-map-xml", "jms-object-xml", "jms-advisory-xml"})
_ACTIVEMQ: Final = frozenset({"jms-json", "jms-map-json"})
_TYPES: Final[Mapping[str, Any]] = {
    "string": str,
    "int": Int,
    "long": int,
    "short": Short,
    "byte": Byte,
    "float": Float,
    "double": float,
    "char": Char,
    "boolean": bool,
}


def read(name: str, kind: int, body: bytes, properties: dict[str, object]) -> tuple[int, bytes]:
    """Kind and body that a SEND with this transformation makes; what fails stays, and a property says why."""
    try:
        if name in _XML:
            raise MessageFormatError(f"{name} is not served here; use {name.replace('xml', 'json')}")
        if name == "jms-map-json":
            found = wire.MAP, encode_map(_map_of(_json(body)))
        elif name in {"jms-object-json", "jms-json"}:
            found = wire.OBJECT, encode_object(_json(body))
        else:
            return kind, body
    except (MessageFormatError, ValueError, TypeError, RecursionError) as error:
        properties[ERROR] = str(error)[:200].encode("utf-8", "replace").decode()
        return kind, body
    del properties["transformation"]
    return found


def write(asked: str, kind: int, body: bytes) -> tuple[bytes, str, str]:
    """Body, transformation and error of a MESSAGE whose message is of a kind that STOMP does not have."""
    try:
        value = decode_body(kind, body)
        if kind == wire.MAP and asked in _ACTIVEMQ:
            assert isinstance(value, dict)
            written = _in_activemq_form(value)
        else:
            written = msgspec.json.encode(_plain(value))
    except (MessageFormatError, TypeError, ValueError, RecursionError) as error:
        return body.replace(b"\x00", b" "), "", str(error)[:200]
    return written, _NAMES[kind], f"{asked} is not served here" if asked in _XML else ""


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise MessageFormatError(f"the body is no JSON: {error}") from None


def _map_of(data: object) -> Mapping[str, object]:
    """The map that JSON means, in either form."""
    if isinstance(data, dict) and data.keys() == {"map"} and isinstance(data["map"], dict):
        entries = data["map"].get("entry", [])
        return dict(_entry(entry) for entry in (entries if isinstance(entries, list) else [entries]))
    if not isinstance(data, dict):
        raise MessageFormatError("the body is no JSON object")
    return data


def _entry(entry: object) -> tuple[str, object]:
    """{"string": [name, text]} or {"string": name, "int": number} and the like."""
    if isinstance(entry, dict):
        both = list(_items(entry))
        if len(both) == 2 and both[0][0] == "string":
            kind, value = both[1]
            make = _TYPES.get(kind)
            if kind == "null":
                return str(both[0][1]), None
            if make is bool:
                return str(both[0][1]), value in {True, "true"}
            if make is not None:
                return str(both[0][1]), make(value)
    raise MessageFormatError(f"{str(entry)[:80]!r} is no entry of a map")


def _items(entry: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for kind, value in entry.items():
        for one in value if isinstance(value, list) else [value]:
            yield kind, one


def _in_activemq_form(body: Mapping[str, object]) -> bytes:
    entries: list[dict[str, object]] = []
    for name, value in body.items():
        kind = _kind_of(value)
        plain = _plain(value)
        entries.append({"string": [name, plain]} if kind == "string" else {"string": name, kind: plain})
    return msgspec.json.encode({"map": {"entry": entries}})


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    if type(value) is bytes:
        return "byte-array"
    return next((name for name, made in _TYPES.items() if type(value) is made), "string")


def _plain(value: object) -> object:
    """The value with the types of JSON alone; bytes as base64."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)
