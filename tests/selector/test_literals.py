"""Java's literals and identifiers (Jakarta Messaging 3.1 §3.8.1.1)."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.selector.literals import bad_character, read_number, read_string

NUMBERS: list[tuple[str, int | float]] = [
    ("0", 0),
    ("57", 57),
    ("57L", 57),
    ("57l", 57),
    ("00", 0),
    ("035", 29),
    ("0_35", 29),
    ("035L", 29),
    ("0x1d", 29),
    ("0X1D", 29),
    ("0xFfL", 255),
    ("0b101", 5),
    ("0B1_0", 2),
    ("1_000__000", 1_000_000),
    ("9223372036854775807", 2**63 - 1),
    # As in Java, these give all 64 bits.
    ("0xFFFFFFFFFFFFFFFF", -1),
    ("0x8000000000000000", -(2**63)),
    ("01777777777777777777777", -1),
    ("0b" + "1" * 64, -1),
    # All are longs, so that this is not Java's int -1.
    ("0xFFFFFFFF", 2**32 - 1),
    ("7.", 7.0),
    (".7e4", 7000.0),
    ("57.9E2", 5790.0),
    ("6.2", 6.2),
    ("7E3", 7000.0),
    ("7e+3", 7000.0),
    ("7e-3", 0.007),
    ("7d", 7.0),
    ("7.5D", 7.5),
    ("7f", 7.0),
    ("0.1f", struct.unpack("f", struct.pack("f", 0.1))[0]),
    ("089.5", 89.5),
    ("1_0.2_5", 10.25),
    ("0e5", 0.0),
    ("0.000", 0.0),
    ("1e308", 1e308),
    ("4.9e-324", 5e-324),
    ("0x1p3", 8.0),
    ("0x1.8p1", 3.0),
    ("0x.8P-1d", 0.25),
    ("0xFp0f", 15.0),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_a_number(text: str, value: int | float) -> None:
    found = read_number(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_a_number_with_a_minus(text: str, value: int | float) -> None:
    found = read_number(text, negative=True)
    smallest = value == -(2**63)
    assert (type(found), found) == (type(value), value if smallest else -value)
    assert math.copysign(1, found) == -math.copysign(1, value) or value == 0 or smallest


def test_the_smallest_long_is_one_only_with_its_minus() -> None:
    assert read_number("9223372036854775808L", negative=True) == -(2**63)
    with pytest.raises(ValueError, match="does not fit into a long of 64 bits"):
        read_number("9223372036854775808L")
    with pytest.raises(ValueError, match="does not fit into a long of 64 bits"):
        read_number("9223372036854775809L", negative=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("08", "a leading 0 makes it octal"),
        ("09L", "a leading 0 makes it octal"),
        ("0x", "is no number"),
        ("0xg", "is no number"),
        ("0b2", "is no number"),
        ("1_", "is no number"),
        ("1__", "is no number"),
        ("1_.5", "is no number"),
        ("0x_1", "is no number"),
        ("1LL", "is no number"),
        ("1.5L", "is no number"),
        ("1e", "is no number"),
        ("1.2.3", "is no number"),
        ("0x1.8", "is no number"),
        ("1fd", "is no number"),
        ("\u0661", "is no number"),
        ("9223372036854775808", "does not fit into a long"),
        ("0x10000000000000000", "does not fit into a long"),
        ("1e309", "too large for a double"),
        ("1e-330", "too small for a double"),
        ("3.5e38f", "too large for a float of 32 bits"),
        ("1e-50f", "too small for a float of 32 bits"),
        ("0x1p5000", "too large for a double"),
        ("0x1p-5000", "too small for a double"),
        ("9" * 1_001, "has 1001 characters, too many"),
    ],
)
def test_no_number(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_number(text)


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_doubles_are_read_as_they_are_written(value: float) -> None:
    assert read_number(repr(float(value)) + ("" if "e" in repr(value) or "." in repr(value) else ".")) == value


@pytest.mark.parametrize(
    "name", ["a", "_", "$", "a1", "größe", "震度", "€uro", "ⅷ", "‿x", "a\u0301", "a\u200d", "\U0001d4b31", "a\u0661"]
)
def test_an_identifier(name: str) -> None:
    assert bad_character(name) is None


@pytest.mark.parametrize(
    ("name", "place"),
    [("1a", 0), ("\u0301a", 0), ("a-b", 1), ("a☃", 1), ("a\u00a0", 1), ("²", 0), ("ab·", 2), ("‘a’", 0)],
)
def test_no_identifier(name: str, place: int) -> None:
    assert bad_character(name) == place


def test_two_quotes_are_one() -> None:
    assert read_string("'it''s'") == "it's"
    assert read_string("''") == ""
    assert read_string("''''''") == "''"
