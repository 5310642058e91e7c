"""Java's arithmetic on longs and doubles (Jakarta Messaging 3.1 §3.8.1.1)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rmimom.selector.arithmetic import COMPARES, REFUTES, add, divide, long, multiply, negate, plus, subtract
from rmimom.values import MAX_LONG, MIN_LONG, Byte, Float, Int, Short


@pytest.mark.parametrize(
    ("value", "wrapped"),
    [
        (MAX_LONG, MAX_LONG),
        (MIN_LONG, MIN_LONG),
        (MAX_LONG + 1, MIN_LONG),
        (MIN_LONG - 1, MAX_LONG),
        (2**64, 0),
        (-(2**64) - 5, -5),
        (MAX_LONG * MAX_LONG, 1),
    ],
)
def test_a_long_wraps_around(value: int, wrapped: int) -> None:
    assert long(value) == wrapped


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (add(Byte(127), Byte(1)), 128),
        (add(MAX_LONG, 1), MIN_LONG),
        (add(1, 0.5), 1.5),
        (add(Float(0.5), Int(1)), 1.5),
        (subtract(MIN_LONG, Short(1)), MAX_LONG),
        (subtract(1.0, 1), 0.0),
        (multiply(2**62, 4), 0),
        (multiply(1e308, 10), math.inf),
        (divide(7, -2), -3),
        (divide(-7, -2), 3),
        (divide(MIN_LONG, -1), MIN_LONG),
        (divide(7, 2.0), 3.5),
        (divide(7, 0), None),
        (divide(0, 0), None),
        (divide(7.0, 0), math.inf),
        (divide(-7, 0.0), -math.inf),
        (divide(7, -0.0), -math.inf),
        (negate(MIN_LONG), MIN_LONG),
        (negate(Byte(-128)), 128),
        (negate(Float(1.5)), -1.5),
        (plus(Byte(5)), 5),
        (plus(Float(1.5)), 1.5),
    ],
)
def test_a_result(found: object, wanted: object) -> None:
    assert (type(found), found) == (type(wanted), wanted)


def test_not_a_number() -> None:
    for found in (divide(0.0, 0), divide(math.nan, 0.0), add(math.inf, -math.inf)):
        assert isinstance(found, float)
        assert math.isnan(found)


@pytest.mark.parametrize("other", [None, "7", True, b"7", [7]])
def test_arithmetic_with_what_is_no_number_is_null(other: Any) -> None:
    for reckon in (add, subtract, multiply, divide):
        assert reckon(1, other) is None
        assert reckon(other, 1.5) is None
    assert plus(other) is None
    assert negate(other) is None


@pytest.mark.parametrize("operator", sorted(COMPARES))
def test_null_is_neither_equal_nor_different(operator: str) -> None:
    for left, right in ((None, 1), (1, None), (None, None), ("x", None)):
        assert not COMPARES[operator](left, right)
        assert not REFUTES[operator](left, right)


@pytest.mark.parametrize("operator", sorted(COMPARES))
def test_a_comparison_of_known_values_is_true_or_false(operator: str) -> None:
    for left, right in ((1, 2), (1, "x"), (True, 1), ("x", "y"), (1.5, Byte(1)), (math.nan, 1)):
        assert COMPARES[operator](left, right) is not REFUTES[operator](left, right)
