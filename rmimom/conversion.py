"""Which type of value can be read as which: properties (Jakarta Messaging 3.1 §3.5.4), maps and streams (§3.11.3).

`READABLE_AS` is both tables of the specification in one: without `char` and `bytes`, which no property has, it is that
of properties.  What is null is read as `valueOf(null)` of Java would have it; Java's NumberFormatException is a
ValueError here, and its NullPointerException a TypeError.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rmimom.errors import MessageFormatError
from rmimom.values import MAX_LONG, MIN_LONG, Byte, Char, Float, Int, Short

TYPE_NAMES: Final[Mapping[type, str]] = {
    bool: "boolean",
    Byte: "byte",
    Short: "short",
    Char: "char",
    Int: "int",
    int: "long",
    Float: "float",
    float: "double",
    str: "string",
    bytes: "bytes",
    bytearray: "bytes",
}
"""The JMS type of a value, by its Python type."""

READABLE_AS: Final[Mapping[str, frozenset[str]]] = {
    "boolean": frozenset({"boolean", "string"}),
    "byte": frozenset({"byte", "short", "int", "long", "string"}),
    "short": frozenset({"short", "int", "long", "string"}),
    "char": frozenset({"char", "string"}),
    "int": frozenset({"int", "long", "string"}),
    "long": frozenset({"long", "string"}),
    "float": frozenset({"float", "double", "string"}),
    "double": frozenset({"double", "string"}),
    "string": frozenset({"boolean", "byte", "short", "int", "long", "float", "double", "string"}),
    "bytes": frozenset({"bytes"}),
}
"""As which types a value can be read, by the type it was written as."""

_BITS: Final = {"byte": 8, "short": 16, "int": 32, "long": 64}
_MAKERS: Final[Mapping[str, Callable[[int], int]]] = {"byte": Byte, "short": Short, "int": Int}
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_REAL: Final = re.compile(r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)")
# What java.lang.String.trim takes away, and so Float.valueOf before it reads.
_BLANKS: Final = "".join(map(chr, range(33)))


def convert(value: object, wanted: str, what: str) -> Any:
    """The value read as the type `wanted`, as a plain bool, int, float, str or bytes.

    `what` names the value in errors.  Raises MessageFormatError, naming both types, where the tables have no entry;
    ValueError for a string that is no such number, and for null read as a number; TypeError for null read as a char.
    """
    if value is None:
        return _convert_null(wanted, what)
    found = TYPE_NAMES.get(type(value), type(value).__name__)
    if wanted not in READABLE_AS.get(found, ()):
        raise MessageFormatError(
            f"{what} is of the type {found}, which cannot be read as {wanted}", found=found, wanted=wanted
        )
    if wanted == "string":
        return spelled(value)
    if found == "string":
        return _parse(str(value), wanted, what)
    return _PLAIN[wanted](value)


_PLAIN: Final[Mapping[str, Callable[[Any], object]]] = {
    "boolean": bool,
    "byte": int,
    "short": int,
    "char": str,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "bytes": bytes,
}


def _convert_null(wanted: str, what: str) -> object:
    if wanted in {"string", "bytes"}:
        return None
    if wanted == "boolean":
        return False
    if wanted == "char":
        raise TypeError(f"{what} is null or missing, and null is no char")
    raise ValueError(f"{what} is null or missing, and null is no number to be read as {wanted}")


def _parse(text: str, wanted: str, what: str) -> object:
    """The number or truth value that a string spells, as `valueOf` of the Java type reads it."""
    if wanted == "boolean":
        return text.lower() == "true"
    bits = _BITS.get(wanted)
    if bits is not None:
        if _WHOLE.fullmatch(text) and len(text) <= 100:
            number = int(text)
            if -(1 << (bits - 1)) <= number < 1 << (bits - 1):
                return number
        raise ValueError(f"{what} is {text!r}, which is no {wanted} of {bits} bits")
    trimmed = text.strip(_BLANKS)
    if not _REAL.fullmatch(trimmed):
        raise ValueError(f"{what} is {text!r}, which is no {wanted}")
    real = float(trimmed.rstrip("fFdD"))
    return real if wanted == "double" else _narrowed(real)


def _narrowed(real: float) -> float:
    try:
        return float(Float(real))
    except MessageFormatError:
        return math.copysign(math.inf, real)


def spelled(value: object) -> str:
    """The value as a string that can be read back as its type: `true`, `17`, `5.1`, `NaN`, `Infinity`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        real = float(value)
        if math.isnan(real):
            return "NaN"
        if math.isinf(real):
            return "Infinity" if real > 0 else "-Infinity"
        return _shortest(real) if isinstance(value, Float) else repr(real)
    return str(int(value)) if isinstance(value, int) else str(value)


def _shortest(real: float) -> str:
    """The shortest spelling that a float of 32 bits is read back from, in the form of `repr`."""
    for digits in range(1, 9):
        text = repr(float(f"{real:.{digits}g}"))
        if _narrowed(float(text)) == real:
            return text
    return repr(float(f"{real:.9g}"))


def typed(value: object, kind: str, what: str) -> Any:
    """The value as one of the JMS type `kind`, to be put into a message.

    Raises MessageFormatError, naming both types, for a value that is not of it, out of its range, or text that is not
    Unicode.  A string or bytes may be None, which is null.
    """
    if kind == "boolean":
        if isinstance(value, bool):
            return value
    elif kind in _BITS:
        if isinstance(value, int) and not isinstance(value, bool):
            if kind != "long":
                return _MAKERS[kind](int(value))
            if MIN_LONG <= value <= MAX_LONG:
                return int(value)
            raise MessageFormatError(f"{what} is {int(value)}, which does not fit into a long", type="long")
    elif kind in {"float", "double"}:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _real(value, kind, what)
    elif kind == "string":
        if value is None:
            return None
        if isinstance(value, str):
            return unicode_text(value, what)
    elif kind == "char":
        if isinstance(value, str):
            return Char(unicode_text(value, what))
    elif value is None or isinstance(value, bytes | bytearray | memoryview):
        return None if value is None else bytes(value)
    found = "null" if value is None else TYPE_NAMES.get(type(value), type(value).__name__)
    raise MessageFormatError(
        f"{what} is to be of the type {kind}, but {value!r} is a {found}", found=found, wanted=kind
    )


def typed_object(value: object, what: str, *, body: bool) -> Any:
    """The value if it is of one of the types of properties, or of map and stream bodies (§3.5.5); else as `typed`."""
    if value is None:
        return None
    kind = "bytes" if isinstance(value, memoryview) else TYPE_NAMES.get(type(value))
    if kind is None or (not body and kind in {"char", "bytes"}):
        name = kind or type(value).__name__
        raise MessageFormatError(f"{what} cannot be of the type {name}; allowed are {_ALLOWED[body]}", type=name)
    return typed(value, kind, what)


_ALLOWED: Final = {
    False: "bool, int, float, str, None, Byte, Short, Int and Float",
    True: "bool, int, float, str, bytes, None, Byte, Short, Int, Float and Char",
}


def _real(value: float, kind: str, what: str) -> float:
    try:
        return Float(value) if kind == "float" else float(value)
    except OverflowError:
        raise MessageFormatError(f"{what} is {value}, which is too large for a {kind}", type=kind) from None


def unicode_text(value: str, what: str) -> str:
    """The text as a plain str; raises MessageFormatError if it holds half a surrogate pair, which no text may."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"{what} holds text that is not Unicode: {error}") from None
    return str(value)
