"""Serpent's text: everything serpent writes is read as serpent reads it; everything else is refused, quickly."""

from __future__ import annotations

import math

import pytest
import serpent
from hypothesis import given
from hypothesis import strategies as st

from rmimom.rmi import literals


def loads(data: bytes) -> object:
    return literals.loads(data, lambda entries: entries)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
)
HASHABLE = st.one_of(st.booleans(), st.integers(), st.text(), st.tuples(st.integers(), st.text()))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(),
        st.tuples(inner),
        st.tuples(inner, inner, inner),
        st.dictionaries(HASHABLE, inner),
        st.sets(HASHABLE),
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.booleans())
def test_it_reads_what_serpent_writes_as_serpent_does(value: object, indent: bool, bytes_repr: bool) -> None:
    data = serpent.dumps(value, indent=indent, bytes_repr=bytes_repr)
    assert loads(data) == serpent.loads(data)


@given(st.text(alphabet="[](){},:'\"\\ab1.-+jN one\n#", max_size=30))
def test_what_it_accepts_is_what_python_would_read(text: str) -> None:
    data = text.encode()
    try:
        found = loads(data)
    except (ValueError, TypeError):
        return
    expected = serpent.loads(data)
    assert found == expected or (math.isnan(expected) and math.isnan(found))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        ")",
        "1 2",
        "[1,,2]",
        "[,]",
        "(,)",
        "{,}",
        "{:1}",
        "{1:}",
        "{1:2,3}",
        "{1,2:3}",
        "{1:2:3}",
        "[1}",
        "[1:2]",
        "1,2",
        "()()",
        "[[]",
        "'abc",
        "'a'b'",
        "'a' 'b'",
        "'\\d'",
        "'\\N{BULLET}'",
        "'a\nb'",
        '"',
        "b",
        "b'",
        "br''",
        "f(x)",
        "f''",
        "a.b",
        "nan",
        "inf",
        "1+2",
        "-",
        "--1",
        "+-1",
        "not 1",
        "lambda:1",
        "1_0",
        "0x10",
        "1e",
        "[][0]",
        "__import__('os')",
        "...",
        "*[1]",
        "1 if 1 else 2",
        "[x for x in y]",
        "{[]:1}",
        "{{}}",
        "1" * 5000,
    ],
)
def test_what_is_no_plain_value_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        loads(text.encode())


@pytest.mark.parametrize(("opening", "closing"), ["[]", ("(", ",)"), ("{1:", "}")])
def test_nesting_may_be_deep_but_not_endless(opening: str, closing: str) -> None:
    depth = literals.MAX_DEPTH
    with pytest.raises(ValueError, match="nested more than"):
        loads((opening * (depth + 1) + "1" + closing * (depth + 1)).encode())
    value = loads((opening * depth + "1" + closing * depth).encode())
    for _ in range(depth):
        (value,) = value.values() if isinstance(value, dict) else value  # type: ignore[misc]
    assert value == 1


@pytest.mark.parametrize(
    "text", ["[" * 1_000_000, "-" * 1_000_000, "'\"" * 500_000, "\\" * 1_000_000, '"' + "'" * 999_999]
)
def test_long_nonsense_is_refused_without_much_ado(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        loads(text.encode())


def test_the_number_of_values_is_limited() -> None:
    with pytest.raises(ValueError, match="more than"):
        loads(b"[" + b"0," * literals.MAX_TOKENS + b"]")


def test_a_long_text_is_no_large_number_of_values() -> None:
    text = "a,b\n" * 1_000_000
    assert loads(serpent.dumps([text])) == [text]


def test_a_class_is_made_where_it_stands() -> None:
    data = serpent.dumps([{"__class__": "x", "v": 1}, {"y": {"__class__": "z"}}])
    assert literals.loads(data, lambda entries: f"made {entries['__class__']}") == ["made x", {"y": "made z"}]
