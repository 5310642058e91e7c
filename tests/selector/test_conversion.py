from __future__ import annotations

import pytest

from rmimom.errors import InvalidSelectorError
from rmimom.selector import Selector, parse_selector
from rmimom.selector.conversion import PREFIX


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("n > 5", "7", True),
        ("n > 5", "5", False),
        ("n = 7", "7", True),
        ("n = 7.5", "7.5", True),
        ("n + 1 = 8", "7", True),
        ("n BETWEEN 5 AND 10", "7", True),
        ("n = TRUE", "true", True),
        ("n = TRUE", "yes", False),
        ("NOT n", "false", True),
        ("n = '7'", "7", True),
        ("n LIKE '7%'", "70", True),
        ("n IN ('7')", "7", True),
        ("n > 5", "many", False),
        ("n > 5", "9" * 100, False),
        ("n > 5 OR n = 'x'", "x", True),
        ("n > 5", 7, True),
    ],
)
def test_strings_are_read_where_numbers_and_booleans_are_wanted(text: str, value: object, matches: bool) -> None:
    assert Selector(PREFIX + text).matches({"n": value}) is matches


def test_without_the_prefix_a_string_is_no_number() -> None:
    """Comparisons of values of different types are false (Jakarta Messaging §3.8.1.1)."""
    assert Selector("n > 5").matches({"n": "7"}) is False


def test_the_text_can_be_read_again_and_is_another_selector() -> None:
    converting = Selector(PREFIX + "n  >  5")
    assert converting is Selector(str(converting))
    assert str(converting).startswith(PREFIX)
    assert converting is not parse_selector("n > 5")


@pytest.mark.parametrize("text", ["JMSPriority >= 6", "n = '7'", "n IS NULL OR JMSTimestamp BETWEEN 1 AND 2"])
def test_where_nothing_can_be_converted_it_is_the_same_selector(text: str) -> None:
    assert Selector(PREFIX + text) is Selector(text)


def test_a_bad_selector_is_refused() -> None:
    with pytest.raises(InvalidSelectorError):
        Selector(PREFIX + "n >")
