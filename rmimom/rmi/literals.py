"""Reads serpent's text, which is a Python literal, without Python's compiler.

Serpent itself asks `ast.literal_eval`.  That is safe, but a server should not do it with bytes of strangers:

- a syntax tree takes about a kilobyte for each value of the text, so that a few megabytes ask for gigabytes;
- deep nesting ends in RecursionError or MemoryError, from inside C code that has crashed on it before;
- it switches the garbage collector of the whole process off and on;
- it takes four times as long as this.

This reader cuts the text into tokens with one regular expression and builds the values with a stack of its own, so
nesting costs no recursion.  It reads what serpent writes in any language: None, booleans, numbers (also complex),
strings and bytes as Python's repr writes them, tuples, lists, dicts, sets.  What else is valid Python (operators,
joined strings, names, comments after the first line) is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from typing import Final

MAX_TOKENS: Final = 1_000_000
"""Reading takes about half a microsecond a token, during which nobody else is served."""
MAX_DEPTH: Final = 500
"""Reading could go deeper, but whoever gets the value might not."""

_STRING: Final = r"""b?{quote}[^{quote}\\\n]*+(?:\\[\\'"abfnrtv0xuU][^{quote}\\\n]*+)*+{quote}"""
_TOKEN: Final = re.compile(
    "|".join(
        (
            _STRING.format(quote="'"),
            r"[\[\](){},:]",
            r"[+-]?[0-9][0-9eEjJ.+-]*+",
            _STRING.format(quote='"'),
            r"[A-Za-z]++",
            r"\S",
        )
    )
)
_AT_ONCE: Final = 65536
_NAMES: Final[dict[str, object]] = {"None": None, "True": True, "False": False}
_CLOSES: Final = {")": "(", "]": "[", "}": "{"}


def loads(data: bytes, make: Callable[[dict[object, object]], object]) -> object:
    """The value that serpent wrote.  `make` turns a dict with the key `__class__` into what it stands for.

    Raises ValueError (also as UnicodeDecodeError), TypeError for an unhashable key, and what `make` raises.
    """
    text = data.decode("utf-8")
    start = text.find("\n") + 1 if text.startswith("#") else 0
    # All tokens of a small text at once is faster; of a large one they would take more room than their values.
    if len(text) <= _AT_ONCE:
        return _build(_TOKEN.findall(text, start), make)
    return _build(_counted(text, start), make)


def _counted(text: str, start: int) -> Iterable[str]:
    for count, match in enumerate(_TOKEN.finditer(text, start)):
        if count == MAX_TOKENS:
            raise ValueError(f"the text holds more than {MAX_TOKENS} words; send structures as one text or as bytes")
        yield match.group()


def _build(tokens: Iterable[str], make: Callable[[dict[object, object]], object]) -> object:
    stack: list[tuple[list[object], str, int]] = []
    items: list[object] = []  # of the container under way
    opener = ""
    colons = 0
    wanted = True  # a value may come next; else a separator or the end
    value: object
    for token in tokens:
        first = token[0]
        if first in "([{":
            if not wanted:
                raise ValueError(f"{first} where a separator must be")
            if len(stack) == MAX_DEPTH:
                raise ValueError(f"the value is nested more than {MAX_DEPTH} deep")
            stack.append((items, opener, colons))
            items = []
            opener = first
            colons = 0
            continue
        if first == ",":
            if wanted or not opener or (colons and len(items) != 2 * colons):
                raise ValueError("a comma in the wrong place")
            wanted = True
            continue
        if first == ":":
            if wanted or opener != "{" or len(items) != 2 * colons + 1:
                raise ValueError("a colon in the wrong place")
            colons += 1
            wanted = True
            continue
        if first in ")]}":
            if opener != _CLOSES[first]:
                raise ValueError(f"{first} without its opening")
            if first == ")":
                # One value in parentheses without a comma is the value itself: serpent writes complex numbers so.
                value = items[0] if len(items) == 1 and not wanted else tuple(items)
            elif first == "]":
                value = items
            elif colons:
                if len(items) != 2 * colons:
                    raise ValueError("a key without its value")
                entries = dict(zip(items[::2], items[1::2], strict=True))
                value = make(entries) if "__class__" in entries else entries
            else:
                value = set(items) if items else {}
            items, opener, colons = stack.pop()
        else:
            if not wanted:
                raise ValueError(f"{token[:40]} where a separator must be")
            if first in "'\"":
                if len(token) < 2:
                    raise ValueError("a string without an end, or with an unknown escape")
                value = token[1:-1] if "\\" not in token else ast.literal_eval(token)
            elif first in "0123456789+-":
                value = _number(token)
            elif token in _NAMES:
                value = _NAMES[token]
            elif first == "b" and len(token) > 2:
                value = ast.literal_eval(token)
            else:
                raise ValueError(f"{token[:40]} is no value")
        items.append(value)
        wanted = False
    if stack or len(items) != 1:
        raise ValueError("the text ends too early")
    return items[0]


def _number(token: str) -> object:
    digits = token[1:] if token[0] in "+-" else token
    if digits.isdigit():
        return int(token)
    if token[-1] in "jJ":
        return complex(token)
    return float(token)
