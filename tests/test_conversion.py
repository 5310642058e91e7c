"""The conversion tables (Jakarta Messaging 3.1 §3.5.4, §3.11.3), against tables written out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.conversion import convert, spelled, typed, typed_object
from rmimom.errors import MessageFormatError
from rmimom.values import MAX_LONG, MIN_LONG, Byte, Char, Float, Int, Short

# Table 3-5; without its columns and rows for char and bytes it is table 3-4.  Written as the row, read as the column.
TABLE = """
         boolean byte short char int long float double string bytes
boolean     X     -     -     -   -   -     -     -      X      -
byte        -     X     X     -   X   X     -     -      X      -
short       -     -     X     -   X   X     -     -      X      -
char        -     -     -     X   -   -     -     -      X      -
int         -     -     -     -   X   X     -     -      X      -
long        -     -     -     -   -   X     -     -      X      -
float       -     -     -     -   -   -     X     X      X      -
double      -     -     -     -   -   -     -     X      X      -
string      X     X     X     -   X   X     X     X      X      -
bytes       -     -     -     -   -   -     -     -      -      X
"""
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = {(row[0], column): cell == "X" for row in ROWS for column, cell in zip(HEAD, row[1:], strict=True)}

text = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "byte": st.integers(-(2**7), 2**7 - 1).map(Byte),
    "short": st.integers(-(2**15), 2**15 - 1).map(Short),
    "char": st.characters(exclude_categories=["Cs"]).map(Char),
    "int": st.integers(-(2**31), 2**31 - 1).map(Int),
    "long": st.integers(MIN_LONG, MAX_LONG),
    "float": st.floats(width=32).map(Float),
    "double": st.floats(),
    "string": text,
    "bytes": st.binary(),
}
NUMBERS = ("byte", "short", "int", "long", "float", "double")


def same(left: object, right: object) -> bool:
    """Equal; not-a-number is itself."""
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return left == right


def test_the_table_has_the_cells_of_the_specification() -> None:
    properties = [cell for cell, legal in CELLS.items() if legal and not {"char", "bytes"} & set(cell)]
    assert len(properties) == 29
    assert sum(CELLS.values()) == 32


@pytest.mark.parametrize(("written", "wanted"), CELLS)
@given(data=st.data())
def test_each_cell(written: str, wanted: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[written])
    if not CELLS[written, wanted]:
        with pytest.raises(MessageFormatError, match=f"'x' is of the type {written}, which cannot be read as {wanted}"):
            convert(value, wanted, "'x'")
        return
    if written == "string" and wanted != "string":
        return  # what it spells decides: below
    found = convert(value, wanted, "x")
    if wanted != "string":
        assert same(found, value)
        assert type(found) in {bool, int, float, str, bytes}
    elif written not in {"boolean", "char", "string"}:
        assert same(convert(found, written, "x"), value)
    else:
        assert found == {True: "true", False: "false"}.get(value, value)  # type: ignore[call-overload]


@given(st.sampled_from(["byte", "short", "int", "long"]), st.integers(-(2**70), 2**70), st.sampled_from(["", "+"]))
def test_text_that_spells_an_integer(wanted: str, number: int, sign: str) -> None:
    """§3.5.4: as Byte.valueOf(String) and its like read it, whose NumberFormatException is ValueError."""
    bits = {"byte": 8, "short": 16, "int": 32, "long": 64}[wanted]
    spelling = sign + str(number) if number >= 0 else str(number)
    if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        assert convert(spelling, wanted, "x") == number
    else:
        with pytest.raises(ValueError, match=f"which is no {wanted} of {bits} bits"):
            convert(spelling, wanted, "x")


@pytest.mark.parametrize("wanted", NUMBERS)
@pytest.mark.parametrize("spelling", ["", " ", "x", "1_0", "0x", "--1", "inf", "nan", "1e", "true", "\u0661"])
def test_text_that_is_no_number(wanted: str, spelling: str) -> None:
    with pytest.raises(ValueError, match="which is no"):
        convert(spelling, wanted, "x")


@pytest.mark.parametrize("spelling", [" 1", "1.0", "1L", "9" * 5000])
def test_text_that_is_no_integer(spelling: str) -> None:
    with pytest.raises(ValueError, match="which is no int"):
        convert(spelling, "int", "x")


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        ("1", 1.0),
        ("-.5", -0.5),
        ("7.", 7.0),
        (" 1e3\n", 1000.0),
        ("1.5f", 1.5),
        ("1.5D", 1.5),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("NaN", math.nan),
    ],
)
def test_text_that_spells_a_real_number(spelling: str, number: float) -> None:
    assert same(convert(spelling, "double", "x"), number)
    assert same(convert(spelling, "float", "x"), number)


def test_a_number_too_large_for_a_float_is_infinite() -> None:
    assert convert("-1e39", "float", "x") == -math.inf
    assert convert("1e39", "double", "x") == 1e39


@pytest.mark.parametrize(
    ("spelling", "value"), [("true", True), ("TrUe", True), ("yes", False), ("1", False), ("", False)]
)
def test_text_that_spells_a_boolean(spelling: str, value: bool) -> None:
    assert convert(spelling, "boolean", "x") is value


def test_null() -> None:
    """§3.11.3: null is read as valueOf(null); a char is NullPointerException, here TypeError."""
    assert convert(None, "boolean", "x") is False
    assert convert(None, "string", "x") is None
    assert convert(None, "bytes", "x") is None
    for wanted in NUMBERS:
        with pytest.raises(ValueError, match=f"x is null or missing, and null is no number to be read as {wanted}"):
            convert(None, wanted, "x")
    with pytest.raises(TypeError, match="x is null or missing"):
        convert(None, "char", "x")


@pytest.mark.parametrize(
    ("value", "spelling"),
    [(Float(0.1), "0.1"), (0.1, "0.1"), (Float(16777216), "16777216.0"), (math.nan, "NaN"), (-math.inf, "-Infinity")],
)
def test_spelling(value: float, spelling: str) -> None:
    assert spelled(value) == spelling


@pytest.mark.parametrize(
    ("value", "kind", "complaint"),
    [
        (1, "boolean", "to be of the type boolean, but 1 is a long"),
        (True, "int", "to be of the type int, but True is a boolean"),
        ("5", "int", "to be of the type int, but '5' is a string"),
        (5.0, "long", "to be of the type long, but 5.0 is a double"),
        (128, "byte", "128 does not fit into a Byte"),
        (2**63, "long", "does not fit into a long"),
        (None, "int", "but None is a null"),
        (1e39, "float", "too large"),
        (10**400, "double", "too large"),
        (5, "string", "to be of the type string"),
        ("\ud800", "string", "x holds text that is not Unicode"),
        ("\udfff", "char", "x holds text that is not Unicode"),
        ("ab", "char", "one character"),
        ("a", "bytes", "to be of the type bytes"),
    ],
)
def test_values_that_are_not_of_the_type(value: object, kind: str, complaint: str) -> None:
    with pytest.raises(MessageFormatError) as caught:
        typed(value, kind, "x")
    assert complaint in str(caught.value)


def test_typed_values_have_the_type() -> None:
    made = [typed(1, kind, "x") for kind in ("byte", "short", "int", "long", "float", "double")]
    assert [type(value) for value in made] == [Byte, Short, Int, int, Float, float]
    assert typed(Byte(1), "int", "x") == Int(1)
    assert typed(memoryview(b"x"), "bytes", "x") == b"x"


@pytest.mark.parametrize("value", [b"x", Char("x")])
def test_objects_that_only_bodies_hold(value: object) -> None:
    """§3.5.5: properties have boxed types and strings only."""
    assert typed_object(value, "x", body=True) == value
    with pytest.raises(MessageFormatError, match="x cannot be of the type"):
        typed_object(value, "x", body=False)


@pytest.mark.parametrize("body", [False, True])
def test_objects_that_nobody_holds(body: bool) -> None:
    assert typed_object(None, "x", body=body) is None
    for value in ([], {}, object(), 1j):
        with pytest.raises(MessageFormatError, match="x cannot be of the type"):
            typed_object(value, "x", body=body)
