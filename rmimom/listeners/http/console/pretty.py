"""Bodies as people read them: JSON and XML indented, bytes in hex.  What is neither stays as it is.

Nothing is evaluated: XML is only cut at its tags, so entities stay what was written and cannot grow.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from rmimom.listeners.http.message import Body

_WIDTH: Final = 16
_DEEPEST: Final = 40
"""Levels of indentation; what lies deeper is written at the last, or ten thousand levels would fill the memory."""
_SPANS: Final = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))
_TAG: Final = re.compile(r"<[^<>]*>")
_TEXT: Final = re.compile(r"[^<]+")


class Shown(NamedTuple):
    """A body for a page; `form` is json, xml, text, hex or none."""

    form: str
    text: str


def present(body: Body, *, pretty: bool) -> Shown:
    """The body as a page shows it."""
    if body.hex is not None:
        return Shown("hex", hex_dump(bytes.fromhex(body.hex)))
    if body.form == "json" and body.size:
        return Shown("json", msgspec.json.format(msgspec.json.encode(body.json), indent=2).decode())
    if body.text is None:
        return Shown("none", "")
    if pretty and not body.truncated:
        if (text := pretty_json(body.text)) is not None:
            return Shown("json", text)
        if (text := pretty_xml(body.text)) is not None:
            return Shown("xml", text)
    return Shown("text", body.text)


def hex_dump(data: bytes) -> str:
    """Bytes as offset, hex and, where they are letters of ASCII, text."""
    lines = []
    for start in range(0, len(data), _WIDTH):
        part = data[start : start + _WIDTH]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<{3 * _WIDTH}} {letters}")
    return "\n".join(lines)


def pretty_json(text: str) -> str | None:
    """An object or a list in JSON with indentation, its numbers and names as they were written; None for other text."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None


def pretty_xml(text: str) -> str | None:
    """XML with indentation; None for text whose elements do not close each other."""
    if not text.lstrip().startswith("<"):
        return None
    lines: list[str] = []
    opened: list[str] = []
    # Whether the last line is a start tag, and then text alone: such an element stays on one line.
    inline = ""
    position = 0
    while position < len(text):
        end = _end_of_token(text, position)
        if end is None:
            return None
        token = text[position:end].strip()
        position = end
        if not token:
            continue
        if token.startswith("</"):
            if not opened or opened.pop() != token[2:-1].strip():
                return None
            if inline:
                lines[-1] += token
            else:
                lines.append(_indent(opened) + token)
            inline = ""
        elif token.startswith("<") and not token.startswith(("<!", "<?")):
            lines.append(_indent(opened) + token)
            inline = "" if token.endswith("/>") else "tag"
            if inline:
                name = token[1:-1].split(maxsplit=1)[:1]
                if not name:
                    return None
                opened += name
        elif inline == "tag" and not token.startswith("<"):
            lines[-1] += token
            inline = "text"
        else:
            lines.append(_indent(opened) + token)
            inline = ""
    return "\n".join(lines) if lines and not opened else None


def _end_of_token(text: str, position: int) -> int | None:
    """Where the tag, the comment or the text ends that begins here; each character is looked at once or twice."""
    for start, end in _SPANS:
        if text.startswith(start, position):
            found = text.find(end, position + len(start))
            return found + len(end) if found >= 0 else None
    match = (_TAG if text[position] == "<" else _TEXT).match(text, position)
    return match.end() if match is not None else None


def _indent(opened: list[str]) -> str:
    return "  " * min(len(opened), _DEEPEST)
