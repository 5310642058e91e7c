"""The modified UTF-8 of Java's DataOutput."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.errors import MessageFormatError
from rmimom.modified_utf8 import decode_modified, encode_modified


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("aä", b"a\xc3\xa4"),
        ("\0", b"\xc0\x80"),
        ("€", b"\xe2\x82\xac"),
        ("😀", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("\U00010000", b"\xed\xa0\x80\xed\xb0\x80"),
        ("\U0010ffff", b"\xed\xaf\xbf\xed\xbf\xbf"),
    ],
)
def test_text_and_bytes(text: str, data: bytes) -> None:
    assert encode_modified(text) == data
    assert decode_modified(data) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(text: str) -> None:
    data = encode_modified(text)
    assert b"\0" not in data
    assert decode_modified(data) == text


@given(st.binary())
def test_any_bytes_are_text_or_a_clear_error(data: bytes) -> None:
    try:
        decode_modified(data).encode()
    except MessageFormatError:
        pass


@pytest.mark.parametrize("data", [b"\xff", b"\xc3", b"\xed\xa0\xbd", b"\xed\xb8\x80", b"\xf0\x9f\x98\x80"])
def test_malformed_bytes(data: bytes) -> None:
    with pytest.raises(MessageFormatError, match="no modified UTF-8"):
        decode_modified(data)


def test_half_a_pair() -> None:
    with pytest.raises(MessageFormatError, match="not Unicode"):
        encode_modified("\ud83d")
