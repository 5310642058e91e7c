"""Text in the modified UTF-8 of Java's DataOutput, which BytesMessage has for `write_utf` and `read_utf`.

It differs from UTF-8 in two things: NUL takes two bytes, and a character outside the Basic Multilingual Plane is
written as its two surrogates, three bytes each.
"""

from __future__ import annotations

import re
from typing import Final

from rmimom.errors import MessageFormatError

_NUL: Final = b"\xc0\x80"
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")


def encode_modified(text: str) -> bytes:
    """The text as bytes; raises MessageFormatError if it holds half a surrogate pair."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"the text is not Unicode: {error}") from None
    if len(encoded) >= 4 and not text.isascii():
        encoded = _ASTRAL.sub(_surrogates, text).encode("utf-8", "surrogatepass")
    return encoded.replace(b"\0", _NUL)


def decode_modified(data: bytes) -> str:
    """Read `encode_modified`'s bytes; raises MessageFormatError if they are malformed."""
    try:
        halves = data.replace(_NUL, b"\0").decode("utf-8", "surrogatepass")
        if _ASTRAL.search(halves):
            raise MessageFormatError("the bytes are no modified UTF-8: a character has four bytes")
        return halves.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
    except UnicodeDecodeError as error:
        raise MessageFormatError(f"the bytes are no modified UTF-8: {error}") from None


def _surrogates(match: re.Match[str]) -> str:
    offset = ord(match[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))
