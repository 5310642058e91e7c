"""Bounds of what clients may choose."""

from __future__ import annotations

import pytest

from rmimom.core.limits import MAX_NUMBER, check_number, check_text
from rmimom.errors import InvalidClientIDError, MessageFormatError


@pytest.mark.parametrize("text", ["", "a", "x" * 255, "größer 今日は 🐇", "rmi:a/b.c"])
def test_text_that_may_be_chosen(text: str) -> None:
    check_text(text, "it", InvalidClientIDError)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x" * 256, "it has 256 characters; at most 255 are allowed"),
        ("a\nb", "it holds '\\n' at position 1"),
        ("\x7f", "it holds '\\x7f' at position 0"),
        ("ab\ud800", "it holds '\\ud800' at position 2"),
    ],
)
def test_text_that_may_not(text: str, complaint: str) -> None:
    with pytest.raises(InvalidClientIDError, match=r"^it h") as caught:
        check_text(text, "it", InvalidClientIDError)
    assert complaint in caught.value.text
    caught.value.text.encode()


@pytest.mark.parametrize(("number", "allowed"), [(0, True), (MAX_NUMBER, True), (-1, False), (MAX_NUMBER + 1, False)])
def test_numbers(number: int, allowed: bool) -> None:
    if allowed:
        check_number(number, "it", MessageFormatError)
    else:
        with pytest.raises(MessageFormatError, match=r"it is -?[0-9]+; it must be between 0 and 9223372036854775807"):
            check_number(number, "it", MessageFormatError)
