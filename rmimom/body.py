"""The body of a message as bytes, by the kind of message (Jakarta Messaging 3.1 §3.11).

The kind travels with the message, so a body arrives as the kind it was sent as, whatever it looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rmimom import frame as wire
from rmimom.errors import MessageFormatError
from rmimom.readonly import ReadOnlyDict, ReadOnlyList
from rmimom.values import (
    decode_map,
    decode_object,
    decode_stream,
    encode_map,
    encode_object,
    encode_stream,
    is_map_value,
)


def infer_kind(body: object) -> int:
    """The kind of message that a body makes when none is asked for."""
    kind = type(body)
    if kind is str:
        return wire.TEXT
    if body is None:
        return wire.NONE
    if isinstance(body, bytes | bytearray | memoryview):
        return wire.BYTES
    if kind is dict or kind is ReadOnlyDict:
        assert isinstance(body, dict)
        if all(isinstance(name, str) and name for name in body) and all(map(is_map_value, body.values())):
            return wire.MAP
    elif kind is list or kind is ReadOnlyList:
        assert isinstance(body, list)
        if all(map(is_map_value, body)):
            return wire.STREAM
    elif isinstance(body, str):
        return wire.TEXT
    return wire.OBJECT


def number_of_kind(kind: str) -> int:
    """The number of a kind by its name; raises MessageFormatError if there is no such kind."""
    try:
        return wire.KIND_NAMES.index(kind)
    except ValueError:
        raise MessageFormatError(
            f"{kind!r} is no kind of message; the kinds are {', '.join(wire.KIND_NAMES)}"
        ) from None


def encode_body(body: object, kind: str | None = None) -> tuple[int, bytes]:
    """The number of the kind and the bytes of a body; raises MessageFormatError if it cannot be sent as that kind."""
    if kind is None:
        if type(body) is str:
            return wire.TEXT, _encode_text(body)
        if type(body) is bytes:
            return wire.BYTES, body
        number = infer_kind(body)
    else:
        number = number_of_kind(kind)
    if number == wire.TEXT:
        if isinstance(body, str):
            return number, _encode_text(body)
        if body is None:
            return number, _NO_TEXT
    elif number == wire.BYTES:
        if isinstance(body, bytes | bytearray | memoryview):
            return number, bytes(body)
    elif number == wire.MAP:
        if isinstance(body, Mapping):
            return number, encode_map(body)
    elif number == wire.STREAM:
        if isinstance(body, list | tuple):
            return number, encode_stream(body)
    elif number == wire.OBJECT:
        return number, encode_object(body)
    elif body is None:
        return number, b""
    raise MessageFormatError(
        f"the body of a {kind} message cannot be a {type(body).__name__}; it must be {_BODIES[number]}",
        kind=kind,
        type=type(body).__name__,
    )


# A text message may have no text, which is not the same as empty text (§3.11.3); no UTF-8 text has this byte.
_NO_TEXT: Final = b"\xff"

_BODIES: Final = ("None", "a str or None", "bytes", "a dict", "a list", "plain data")


def decode_body(kind: int, data: bytes) -> object:
    """Read `encode_body`'s bytes; raises MessageFormatError if they are malformed."""
    if kind == wire.TEXT:
        if data == _NO_TEXT:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise MessageFormatError(f"the body of the text message is not UTF-8: {error}") from None
    if kind == wire.BYTES:
        return data
    if kind == wire.NONE:
        return None
    if kind == wire.MAP:
        return decode_map(data)
    if kind == wire.STREAM:
        return decode_stream(data)
    if kind == wire.OBJECT:
        return decode_object(data)
    raise MessageFormatError(f"the frame has the kind {kind}; allowed are 0 to {wire.OBJECT}")


def _encode_text(body: str) -> bytes:
    try:
        return body.encode()
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"the body holds text that is not Unicode: {error}") from None
