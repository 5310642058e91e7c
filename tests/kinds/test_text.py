"""TextMessage (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.received import received

from rmimom.errors import MessageFormatError, MessageNotWriteableError
from rmimom.kinds import TextMessage


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_arrives_unchanged(text: str) -> None:
    got = received(TextMessage(text))
    assert isinstance(got, TextMessage)
    assert got.text == got.body == text


def test_no_text_is_not_empty_text() -> None:
    assert received(TextMessage()).text is None
    assert received(TextMessage("")).text == ""
    assert received(TextMessage()).kind == "text"


def test_half_a_surrogate_pair() -> None:
    message = TextMessage("before")
    with pytest.raises(MessageFormatError, match="the body of a TextMessage holds text that is not Unicode"):
        message.text = "\ud83d"
    assert message.text == "before"


def test_only_text() -> None:
    with pytest.raises(MessageFormatError, match="to be of the type string"):
        TextMessage(5)
    with pytest.raises(MessageFormatError, match="a TextMessage is of the kind 'text'"):
        TextMessage("a", kind="map")


def test_read_only_on_receipt() -> None:
    """§3.11.2."""
    got = received(TextMessage("a"))
    with pytest.raises(MessageNotWriteableError):
        got.text = "b"
    got.clear_body()
    assert got.text is None
    got.text = "b"
    assert received(got).text == "b"
