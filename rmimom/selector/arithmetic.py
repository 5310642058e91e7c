"""Java's numbers, as selectors reckon and compare with them (Jakarta Messaging 3.1 §3.8.1.1, §3.8.1.2).

There are two kinds: integers, reckoned as longs of 64 bits that wrap around, and floating-point numbers, reckoned as
doubles; where the two meet, the long becomes a double.  Byte, short and int properties are widened to long, float to
double.  `None` is NULL, or a number that does not exist.

What the specification leaves open:
- The quotient of integers by zero is NULL.  Java would throw an exception, but a selector cannot fail for one message
  of many; and NULL, unlike a number, makes neither the comparison nor its negation match.  So is arithmetic with a
  string or a boolean.  Quotients of floating-point numbers by zero are infinite or not a number, as in Java.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rmimom.values import MAX_LONG, MIN_LONG, Byte, Float, Int, Short

INTEGERS: Final = frozenset({int, Byte, Short, Int})
NUMBERS: Final = INTEGERS | {float, Float}
EXACT_DOUBLE: Final = 2**53
"""Below this every integer is a double of its own.  At 2**53 it ends: 2**53 + 1 becomes 2**53."""

Number: TypeAlias = int | float


def long(value: int) -> int:
    """The value in 64 bits, wrapped around like a Java long."""
    if MIN_LONG <= value <= MAX_LONG:
        return value
    return (value - MIN_LONG) % 2**64 + MIN_LONG


def add(left: Any, right: Any) -> Number | None:
    """`left + right`."""
    kind, other = type(left), type(right)
    if kind in INTEGERS and other in INTEGERS:
        return long(left + right)
    if kind in NUMBERS and other in NUMBERS:
        return float(left) + float(right)
    return None


def subtract(left: Any, right: Any) -> Number | None:
    """`left - right`."""
    kind, other = type(left), type(right)
    if kind in INTEGERS and other in INTEGERS:
        return long(left - right)
    if kind in NUMBERS and other in NUMBERS:
        return float(left) - float(right)
    return None


def multiply(left: Any, right: Any) -> Number | None:
    """`left * right`."""
    kind, other = type(left), type(right)
    if kind in INTEGERS and other in INTEGERS:
        return long(left * right)
    if kind in NUMBERS and other in NUMBERS:
        return float(left) * float(right)
    return None


def divide(left: Any, right: Any) -> Number | None:
    """`left / right`; integers are divided towards zero."""
    kind, other = type(left), type(right)
    if kind in INTEGERS and other in INTEGERS:
        if right == 0:
            return None
        quotient = abs(left) // abs(right)
        return long(quotient if (left < 0) == (right < 0) else -quotient)
    if kind in NUMBERS and other in NUMBERS:
        dividend, divisor = float(left), float(right)
        if divisor != 0.0:
            return dividend / divisor
        if dividend == 0.0 or math.isnan(dividend):
            return math.nan
        return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)
    return None


def plus(value: Any) -> Number | None:
    """`+value`."""
    kind = type(value)
    if kind in INTEGERS:
        return int(value)
    return float(value) if kind in NUMBERS else None


def negate(value: Any) -> Number | None:
    """`-value`."""
    kind = type(value)
    if kind in INTEGERS:
        return long(-value)
    return -float(value) if kind in NUMBERS else None


Test: TypeAlias = Callable[[Any, Any], bool]

_STRINGS_AND_BOOLEANS: Final = frozenset({str, bool})


def _comparison(compare: Test, others: frozenset[type]) -> Test:
    """A comparison that is true or not; `others` are the types besides numbers that it takes, two of the same."""

    def holds(left: Any, right: Any) -> bool:
        kind, other = type(left), type(right)
        if kind in NUMBERS and other in NUMBERS:
            if (kind in INTEGERS) is (other in INTEGERS):
                return compare(left, right)
            return compare(float(left), float(right))
        return kind is other and kind in others and compare(left, right)

    return holds


def _refutation(holds: Test) -> Test:
    """The comparison is false: both sides are known, and it does not hold, be it for a mismatch of types."""

    def fails(left: Any, right: Any) -> bool:
        return left is not None and right is not None and not holds(left, right)

    return fails


COMPARES: Final[dict[str, Test]] = {
    "=": _comparison(operator.eq, _STRINGS_AND_BOOLEANS),
    "<>": _comparison(operator.ne, _STRINGS_AND_BOOLEANS),
    "<": _comparison(operator.lt, frozenset()),
    "<=": _comparison(operator.le, frozenset()),
    ">": _comparison(operator.gt, frozenset()),
    ">=": _comparison(operator.ge, frozenset()),
}
"""Whether a comparison of two values is true."""

REFUTES: Final[dict[str, Test]] = {name: _refutation(holds) for name, holds in COMPARES.items()}
"""Whether a comparison of two values is false; with NULL on either side it is neither true nor false."""
