"""The kind of a message follows from its body, and travels with it (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

import pytest

from rmimom import frame
from rmimom.body import decode_body, encode_body, infer_kind
from rmimom.errors import MessageFormatError
from rmimom.values import Short

KINDS = [
    (None, frame.NONE),
    ("text", frame.TEXT),
    ("", frame.TEXT),
    (b"bytes", frame.BYTES),
    ({"a": 1, "b": None, "c": b"x", "d": Short(1)}, frame.MAP),
    ({}, frame.MAP),
    ([1, "a", 2.5, b"x"], frame.STREAM),
    ([], frame.STREAM),
    ({"a": [1]}, frame.OBJECT),
    ({1: "a"}, frame.OBJECT),
    ({"a": 2**70}, frame.OBJECT),
    ([[1]], frame.OBJECT),
    ((1, 2), frame.OBJECT),
    (5, frame.OBJECT),
    (2.5, frame.OBJECT),
    (True, frame.OBJECT),
]


@pytest.mark.parametrize(("body", "kind"), KINDS)
def test_kind_of_a_body_and_back(body: object, kind: int) -> None:
    assert infer_kind(body) == kind
    number, data = encode_body(body)
    assert number == kind
    assert decode_body(number, data) == body


@pytest.mark.parametrize("body", [bytearray(b"abc"), memoryview(b"abc")])
def test_other_bytes_arrive_as_bytes(body: bytes) -> None:
    assert encode_body(body) == (frame.BYTES, b"abc")


def test_a_kind_asked_for_is_kept() -> None:
    """§3.11.4: a map message never arrives as something else."""
    number, data = encode_body({"a": 1}, "object")
    assert number == frame.OBJECT
    assert decode_body(number, data) == {"a": 1}
    assert encode_body((1, 2), "stream") == (frame.STREAM, b"[1,2]")


@pytest.mark.parametrize(
    ("body", "kind"),
    [(1, "text"), ("a", "bytes"), ([], "map"), ({}, "stream"), ("a", "none"), ({"a": []}, "map"), ({1}, "object")],
)
def test_a_body_of_another_kind_is_refused(body: object, kind: str) -> None:
    with pytest.raises(MessageFormatError):
        encode_body(body, kind)


@pytest.mark.parametrize("body", [object(), {1, 2}, len, "\ud800"])
def test_what_no_body_can_be(body: object) -> None:
    with pytest.raises(MessageFormatError):
        encode_body(body)


@pytest.mark.parametrize(("kind", "data"), [(frame.TEXT, b"\xfe"), (frame.MAP, b"[]"), (9, b"")])
def test_malformed_bodies(kind: int, data: bytes) -> None:
    with pytest.raises(MessageFormatError):
        decode_body(kind, data)
