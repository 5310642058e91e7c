"""LIKE patterns against regular expressions, and with texts that make regular expressions slow."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.selector.like import BadEscapeError, matcher, split


def expected(pattern: str, text: str) -> bool:
    wild = {"%": ".*", "_": "."}
    return re.fullmatch("".join(wild.get(part, re.escape(part)) for part in pattern), text, re.DOTALL) is not None


def test_every_short_pattern_on_every_short_text() -> None:
    texts = ["".join(letters) for length in range(6) for letters in itertools.product("ab", repeat=length)]
    for length in range(5):
        for letters in itertools.product("ab_%", repeat=length):
            pattern = "".join(letters)
            matches = matcher(split(pattern))
            assert [text for text in texts if matches(text)] == [text for text in texts if expected(pattern, text)]


@given(st.text("ab_%é", max_size=12), st.text("abé", max_size=20))
def test_longer_patterns(pattern: str, text: str) -> None:
    assert matcher(split(pattern))(text) is expected(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "tail", "matches"),
    [
        ("%a" * 500 + "%", "", True),
        ("%a" * 500 + "%b", "", False),
        ("%a" * 500 + "%b%", "", False),
        ("%" + "a_" * 500 + "b%", "", False),
        ("%" + "a_" * 500 + "b%", "b", True),
        ("%" + "_" * 1_000 + "%", "", True),
        ("_%" * 500 + "b%", "", False),
        ("%" + "_a%" * 300 + "b", "b", True),
    ],
)
def test_patterns_made_to_be_slow(pattern: str, tail: str, matches: bool) -> None:
    # With backtracking any of these takes longer than the test may; here it is one pass over the text.
    assert matcher(split(pattern))("a" * 100_000 + tail) is matches


def test_neighbouring_wildcards_are_one() -> None:
    assert [segment.width for segment in split("a%%%%b")] == [1, 1]
    assert [segment.literal for segment in split("%%")] == ["", ""]
    assert [segment.literal for segment in split("a_%_b%cd%")] == [None, None, "cd", ""]


@pytest.mark.parametrize(
    ("pattern", "escape", "literal"),
    [("!%", "!", "%"), ("!_a!!", "!", "_a!"), ("%%", "%", "%"), ("__", "_", "_"), ("!", "", "!")],
)
def test_escaped_wildcards_are_plain(pattern: str, escape: str, literal: str) -> None:
    [segment] = split(pattern, escape)
    assert segment.literal == literal


@pytest.mark.parametrize(
    ("pattern", "escape", "position"),
    [("ab!", "!", 2), ("!a", "!", 0), ("!!!", "!", 2), ("%!'", "!", 1), ("__a_", "_", 3), ("a%", "%", 1)],
)
def test_a_bad_escape_is_told_by_its_place(pattern: str, escape: str, position: int) -> None:
    with pytest.raises(BadEscapeError) as caught:
        split(pattern, escape)
    assert caught.value.position == position
