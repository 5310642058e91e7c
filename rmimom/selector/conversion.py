"""Selectors that read numbers and booleans out of strings, for senders whose properties are all strings.

A selector asks for that with the prefix `convert_string_expressions:`, as in ActiveMQ; STOMP subscriptions always do.
A property is converted if the selector uses it as a number or a boolean: compares it with one, in arithmetic, in
BETWEEN, or as a condition by itself.  What cannot be converted stays a string, which no number equals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rmimom.selector import tree
from rmimom.selector.compiler import Matches

PREFIX: Final = "convert_string_expressions:"

_LONGEST: Final = 40
_NUMBERS: Final = frozenset({"JMSPriority", "JMSTimestamp"})
"""Headers that are numbers in every message."""


def converting(root: tree.Condition, matches: Matches) -> Matches:
    """`matches`, the compiled form of `root`, asked with converted values."""
    names = frozenset(_converted(root))
    if not names:
        return matches

    def converted(values: Mapping[str, Any]) -> bool:
        found = {name: _convert(values[name]) for name in names if type(values.get(name)) is str}
        return matches({**values, **found} if found else values)

    return converted


def reads_strings(root: tree.Condition) -> bool:
    """Whether the condition uses anything as a number or a boolean that may be a string."""
    return not _NUMBERS.issuperset(_converted(root))


def _converted(node: tree.Condition) -> Iterator[str]:
    """The names of the properties that are used as numbers or booleans."""
    match node:
        case tree.Or(conditions) | tree.And(conditions):
            for condition in conditions:
                yield from _converted(condition)
        case tree.Not(condition):
            yield from _converted(condition)
        case tree.Identifier(name):
            yield name
        case tree.Comparison(_, left, right):
            if not (_may_be_string(left) and _may_be_string(right)):
                yield from tree.identifiers(node)
        case tree.Between():
            yield from tree.identifiers(node)


def _may_be_string(operand: tree.Operand) -> bool:
    return isinstance(operand, tree.Identifier) or (
        isinstance(operand, tree.Literal) and isinstance(operand.value, str)
    )


def _convert(text: str) -> bool | int | float | str:
    if text in {"true", "TRUE", "True"}:
        return True
    if text in {"false", "FALSE", "False"}:
        return False
    if len(text) > _LONGEST or not text.isascii() or "_" in text:
        return text
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if isinstance(number, float) or -(2**63) <= number < 2**63:
            return number
    return text
