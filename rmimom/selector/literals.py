"""Words of selectors: Java's numbers and identifiers, and strings (Jakarta Messaging 3.1 §3.8.1.1)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rmimom.errors import MessageFormatError
from rmimom.selector.arithmetic import long
from rmimom.values import MAX_LONG, Float

_DIGITS: Final = "[0-9](?:_*[0-9])*"
_INTEGER: Final = re.compile(
    r"(?:0[xX](?P<hex>[0-9a-fA-F](?:_*[0-9a-fA-F])*)"
    r"|0[bB](?P<binary>[01](?:_*[01])*)"
    r"|0(?P<octal>(?:_*[0-7])+)"
    r"|(?P<decimal>0|[1-9](?:_*[0-9])*))[lL]?"
)
_FLOATING: Final = re.compile(
    rf"(?:(?:{_DIGITS}\.(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?|{_DIGITS}[eE][+-]?{_DIGITS})[dDfF]?"
    rf"|{_DIGITS}[dDfF]"
)
_HEX_DIGITS: Final = "[0-9a-fA-F](?:_*[0-9a-fA-F])*"
_HEX_FLOATING: Final = re.compile(
    rf"0[xX](?:{_HEX_DIGITS}\.?(?:{_HEX_DIGITS})?|\.{_HEX_DIGITS})[pP][+-]?{_DIGITS}[dDfF]?"
)
_BASES: Final = {"hex": 16, "binary": 2, "octal": 8}
_OCTAL_LIKE: Final = re.compile(r"0[0-9_]+[lL]?")
# A double has 17 significant digits and a long 64 bits; a number of a thousand digits is a mistake or an attack.
_MAX_DIGITS: Final = 1_000


def read_number(text: str, *, negative: bool = False) -> int | float:
    """A Java literal with or without a minus before it; raises ValueError saying what is wrong with it.

    Integers: decimal, 0x hexadecimal, 0b binary and octal with a leading 0, with or without L.  All are longs.  As in
    Java the last three give all 64 bits: 0xFFFFFFFFFFFFFFFF is -1.  Floating-point numbers end in f (rounded to 32
    bits), d or neither.
    """
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"has {len(text)} characters, too many for a number")
    match = _INTEGER.fullmatch(text)
    if match:
        kind = match.lastgroup or "decimal"
        digits = match[kind].replace("_", "")
        return _decimal(digits, negative) if kind == "decimal" else _pattern_of_bits(digits, _BASES[kind], negative)
    if _FLOATING.fullmatch(text) or _HEX_FLOATING.fullmatch(text):
        value = _floating(text)
        return -value if negative else value
    if _OCTAL_LIKE.fullmatch(text):
        raise ValueError("is no number: a leading 0 makes it octal, with the digits 0 to 7")
    raise ValueError("is no number")


def _decimal(digits: str, negative: bool) -> int:
    value = int(digits)
    if value > MAX_LONG + negative:
        raise ValueError("does not fit into a long of 64 bits")
    return -value if negative else value


def _pattern_of_bits(digits: str, base: int, negative: bool) -> int:
    value = int(digits, base)
    if value >= 2**64:
        raise ValueError("does not fit into a long of 64 bits")
    return long(-long(value)) if negative else long(value)


def _floating(text: str) -> float:
    hexadecimal = text[:2] in {"0x", "0X"}
    # Nothing but a suffix stands after the exponent of a hexadecimal number; before it, d and f are digits.
    digits = text.replace("_", "").rstrip("dDfF")
    try:
        value = float.fromhex(digits) if hexadecimal else float(digits)
        if text[-1] in "fF":
            value = float(Float(value))
    except (OverflowError, MessageFormatError):
        value = float("inf")
    if value == float("inf"):
        raise ValueError(f"is too large for a {_name_of_type(text)}")
    significant = re.split("[pP]" if hexadecimal else "[eE]", digits[2:] if hexadecimal else digits)[0]
    if value == 0.0 and significant.strip("0."):
        raise ValueError(f"is too small for a {_name_of_type(text)}")
    return value


def _name_of_type(text: str) -> str:
    return "float of 32 bits" if text[-1] in "fF" else "double"


_START: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"})
_PART: Final = _START | {"Nd", "Mn", "Mc", "Cf"}


def bad_character(identifier: str) -> int | None:
    """Where the first character stands that an identifier may not have there, by Java's rule; None if all is well.

    JavaIdentifierStart is a letter, a currency sign or a connector such as _; JavaIdentifierPart also a digit, a
    combining mark or an invisible format character.
    """
    for place, character in enumerate(identifier):
        if unicodedata.category(character) not in (_PART if place else _START):
            return place
    return None


def read_string(text: str) -> str:
    """The text between single quotes, where two of them stand for one."""
    return text[1:-1].replace("''", "'")
