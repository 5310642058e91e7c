"""Properties as they are written on the command line.

-p colour=red           text, because it is neither a number nor true, false or null
-p n=5  -p x=0.5        a long and a double
-p ok=true              a boolean
-p n:short=5            a value of this type: boolean byte short int long float double string char
-p text:string=5        text, though it looks like a number
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import click


def read_properties(given: tuple[str, ...]) -> dict[str, Any]:
    """The properties as the HTTP interface wants them.  Raises click.BadParameter."""
    found: dict[str, Any] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{text!r} is no NAME=VALUE", param_hint="-p")
        name, _, kind = name.partition(":")
        found[name] = _typed(text, kind, value) if kind else guess(value)
    return found


def guess(text: str) -> Any:
    """A number, true, false or null if the text is one as JSON has it; else the text."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _typed(text: str, kind: str, value: str) -> Any:
    if kind not in _TYPES:
        raise click.BadParameter(f"{text!r}: there is no type {kind!r}; types are {', '.join(_TYPES)}", param_hint="-p")
    try:
        return _TYPES[kind](value)
    except ValueError:
        raise click.BadParameter(f"{text!r}: {value!r} is no {kind}", param_hint="-p") from None


def _boolean(text: str) -> bool:
    word = _WORDS.get(text)
    if not isinstance(word, bool):
        raise ValueError(text)  # noqa: TRY004  # it is text, and the wrong one
    return word


def _double(text: str) -> Any:
    number = float(text)
    # JSON has no words for what is not finite.
    return number if math.isfinite(number) else {"double": str(number)}


_WORDS: Final = {"true": True, "false": False, "null": None}
_TYPES: Final[dict[str, Callable[[str], Any]]] = {
    "boolean": _boolean,
    "byte": lambda text: {"byte": int(text)},
    "short": lambda text: {"short": int(text)},
    "int": lambda text: {"int": int(text)},
    "long": int,
    "float": lambda text: {"float": float(text)},
    "double": _double,
    "string": str,
    "char": lambda text: {"char": text},
}
