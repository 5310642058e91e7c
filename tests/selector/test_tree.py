"""The tree of a selector and its canonical text."""

from __future__ import annotations

import pytest

from rmimom.selector.parser import parse
from rmimom.selector.tree import children, identifiers

TEXTS = [
    ("a=1", "a = 1"),
    ("((a))", "a"),
    ("not(not a)", "NOT NOT a"),
    ("a or(b and c)or d", "a OR b AND c OR d"),
    ("(a or b)and(c or d)", "(a OR b) AND (c OR d)"),
    ("(a and b)and c", "a AND b AND c"),
    ("not (a or b)", "NOT (a OR b)"),
    ("not (a = 1)", "NOT a = 1"),
    ("a not in('y','x','y')", "a NOT IN ('x', 'y')"),
    ("a like 'it''s!%' escape'!'", "a LIKE 'it''s!%' ESCAPE '!'"),
    ("a not like 'x' escape '!'", "a NOT LIKE 'x'"),
    ("a is not null", "a IS NOT NULL"),
    ("a not between(1)and(2)", "a NOT BETWEEN 1 AND 2"),
    ("(a+b)*c=-(d*e)", "(a + b) * c = -(d * e)"),
    ("a-(b-c)=(a-b)-c", "a - (b - c) = a - b - c"),
    ("a/(b*c)=a*(b/c)", "a / (b * c) = a * (b / c)"),
    ("- - -a = + -5", "- - -a = -5"),
    ("-(5) = -(-5)", "-5 = 5"),
    ("-9223372036854775808 < 0x10", "-9223372036854775808 < 16"),
    ("a - -5 = 1e3 * - 0.0", "a - -5 = 1000.0 * -0.0"),
    ("a = true OR b = FALSE", "a = TRUE OR b = FALSE"),
]


@pytest.mark.parametrize(("text", "canonical"), TEXTS)
def test_canonical_text(text: str, canonical: str) -> None:
    tree = parse(text)
    assert str(tree) == canonical
    assert parse(canonical) == tree


def test_identifiers_are_told_for_each_place() -> None:
    tree = parse("a = 1 AND (b BETWEEN a AND -c OR NOT d IN ('x')) AND e LIKE 'x' AND f IS NULL AND g")
    assert sorted(identifiers(tree)) == ["a", "a", "b", "c", "d", "e", "f", "g"]
    assert len(children(tree)) == 5


def test_a_deep_text_is_not_written_twice_at_each_level() -> None:
    # A node that asked for the text of its part twice would take 2**60 steps here.
    text = "- " * 60 + "a = 1"
    assert str(parse(text)) == "- " * 59 + "-a = 1"
