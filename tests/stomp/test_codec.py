"""STOMP frames, whole, byte by byte and at random cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stomp_bytes import MESSES, cuts, events, read

from rmimom.stomp.codec import (
    BEAT,
    CLIENT_COMMANDS,
    SERVER_COMMANDS,
    VERSIONS,
    Frame,
    FrameReader,
    Limits,
    ProtocolError,
    encode_frame,
    escape,
)

ALL = CLIENT_COMMANDS | SERVER_COMMANDS

GOOD = [
    (b"DISCONNECT\n\n\x00", [Frame("DISCONNECT", {})]),
    (b"DISCONNECT\r\nreceipt:1\r\n\r\n\x00", [Frame("DISCONNECT", {"receipt": "1"})]),
    (b"SEND\ndestination:/queue/a\n\nhello\x00", [Frame("SEND", {"destination": "/queue/a"}, b"hello")]),
    (b"SEND\nd:1\r\n\nhello\r\n\x00", [Frame("SEND", {"d": "1"}, b"hello\r\n")]),
    (b"SEND\ncontent-length:3\n\na\x00b\x00", [Frame("SEND", {"content-length": "3"}, b"a\x00b")]),
    (b"SEND\ncontent-length:0\n\n\x00", [Frame("SEND", {"content-length": "0"})]),
    (b"SEND\ncontent-length: 2 \n\n\n\n\x00", [Frame("SEND", {"content-length": " 2 "}, b"\n\n")]),
    (b"SEND\na:1\na:2\n\n\x00", [Frame("SEND", {"a": "1"})]),
    (b"SEND\na:b:c\n\n\x00", [Frame("SEND", {"a": "b:c"})]),
    (b"SEND\na:\n\n\x00", [Frame("SEND", {"a": ""})]),
    (b"SEND\n a : b \n\n\x00", [Frame("SEND", {" a ": " b "})]),
    (b"SEND\na\\c\\n:\\\\\\r\n\n\x00", [Frame("SEND", {"a:\n": "\\\r"})]),
    (b"SEND\na\\c:1\na\\c:2\n\n\x00", [Frame("SEND", {"a:": "1"})]),
    (b"CONNECT\npasscode:a\\b:c\n\n\x00", [Frame("CONNECT", {"passcode": "a\\b:c"})]),
    ("SEND\nä:漢\n\nß\x00".encode(), [Frame("SEND", {"ä": "漢"}, "ß".encode())]),
    (
        b"\n\r\n\x00BEGIN\n\n\x00\x00\n\n\r\nCOMMIT\n\n\x00\n",
        [Frame("BEGIN", {}), Frame("COMMIT", {})],
    ),
    (b"\n\n\r\n", []),
]

BAD = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "no command"),
    (b"send\n\n\x00", "no command"),
    (b" SEND\n\n\x00", "no command"),
    (b"\x16\x03\x01" + bytes(range(1, 60)), "no command"),
    (b"SEND\nnocolon\n\n\x00", "no colon"),
    (b"SEND\n:value\n\n\x00", "no name"),
    (b"SEND\na:\\t\n\n\x00", "no escape"),
    (b"SEND\na:\\\n\n\x00", "no escape"),
    (b"SEND\na:\xff\n\n\x00", "UTF-8"),
    (b"SEND\n\x00", "ends in its headers"),
    (b"SEND\na:\x00b\n\n\x00", "ends in its headers"),
    (b"SEND\ncontent-length:x\n\n\x00", "number of bytes"),
    (b"SEND\ncontent-length:-1\n\n\x00", "number of bytes"),
    ("SEND\ncontent-length:٣\n\n\x00".encode(), "number of bytes"),
    (b"SEND\ncontent-length:1\n\nab\x00", "not NUL"),
    (b"SEND\ncontent-length:4294967296\n\n", "limit"),
    (b"SEND\ncontent-length:" + b"9" * 60_000 + b"\n\n", "limit"),
]


@pytest.mark.parametrize(("data", "frames"), GOOD)
def test_bytes_become_frames(data: bytes, frames: list[Frame]) -> None:
    assert read(data) == frames
    assert read(*(data[index : index + 1] for index in range(len(data)))) == frames


@pytest.mark.parametrize(("data", "reason"), BAD)
def test_bad_bytes_become_one_protocol_error(data: bytes, reason: str) -> None:
    for pieces in ([data], [data[index : index + 1] for index in range(len(data))]):
        *frames, error = read(b"BEGIN\n\n\x00", *pieces, b"\n\nBEGIN\n\n\x00")
        assert frames == [Frame("BEGIN", {})]
        assert isinstance(error, ProtocolError)
        assert reason in str(error)


def test_the_receipt_of_an_unknown_command_is_told() -> None:
    with pytest.raises(ProtocolError) as caught:
        list(_fed(b"JUMP\nreceipt:7\n\n\x00").frames())
    assert caught.value.receipt == "7"


def _fed(data: bytes, limits: Limits | None = None, version: str = "1.2") -> FrameReader:
    reader = FrameReader(limits, version=version)
    reader.feed(data)
    return reader


@pytest.mark.parametrize(
    ("version", "data", "headers"),
    [
        ("1.0", b"SEND\n a : b\\c \n\n\x00", {"a": "b\\c"}),
        ("1.1", b"SEND\na: b\\c\\n\\\\ \n\n\x00", {"a": " b:\n\\ "}),
        ("1.2", b"SEND\na:\\r\\c\n\n\x00", {"a": "\r:"}),
    ],
)
def test_versions_differ_in_their_escapes(version: str, data: bytes, headers: dict[str, str]) -> None:
    assert next(_fed(data, version=version).frames()).headers == headers


def test_version_1_1_has_no_escape_for_a_carriage_return() -> None:
    with pytest.raises(ProtocolError, match=r"no escape of STOMP 1\.1"):
        _fed(b"SEND\na:\\r\n\n\x00", version="1.1").next_frame()


def test_the_version_may_change_behind_a_frame_that_was_read() -> None:
    reader = _fed(b"CONNECT\n\n\x00SEND\na:\\c\n\n\x00", version="1.2")
    assert reader.next_frame() == Frame("CONNECT", {})
    reader.version = "1.0"
    assert reader.next_frame() == Frame("SEND", {"a": "\\c"})


SMALL = Limits(header_line=10, headers=3, head=40, body=8, empty_lines=4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SEND\n" + b"a:345678901\n\n\x00", "more than 10 bytes"),
        (b"SEND\n" + b"a:3456789012", "more than 10 bytes"),
        (b"SEND\na:1\nb:1\nc:1\nd:1\n\n\x00", "more than 3 headers"),
        (b"SEND\na:1\nb:1\nc:1\nd:1\ne", "more than 3 headers"),
        (b"SEND\n" + b"a:34567890\n" * 3 + b"a:34567890\n\n\x00", "40 bytes"),
        (b"SEND\n\n123456789\x00", "limit is 8"),
        (b"SEND\n\n123456789", "limit is 8"),
        (b"SEND\ncontent-length:9\n\n", "more than 10 bytes"),
        (b"\n\n\n\n\nSEND\n\n\x00", "empty lines"),
    ],
)
def test_limits(data: bytes, reason: str) -> None:
    for pieces in ([data], [data[index : index + 1] for index in range(len(data))]):
        [error] = read(*pieces, limits=SMALL)
        assert reason in str(error), pieces


def test_what_is_within_the_limits_is_taken() -> None:
    data = b"\n\n\n\nSEND\r\na:34567890\r\nb:1\r\nc:1\r\n\r\n12345678\x00" + b"\n" * 100 + b"BEGIN\n\n\x00"
    frames = [Frame("SEND", {"a": "34567890", "b": "1", "c": "1"}, b"12345678"), Frame("BEGIN", {})]
    assert read(data, limits=SMALL) == frames
    assert read(*(data[index : index + 1] for index in range(len(data))), limits=SMALL) == frames


def test_an_unfinished_head_is_not_kept_beyond_its_limit() -> None:
    reader = _fed(b"SEND\nabc", SMALL)
    for _ in range(3):
        assert reader.next_frame() is None
        reader.feed(b"abc")
    with pytest.raises(ProtocolError):
        reader.next_frame()
    assert reader.buffered == 0


def test_a_frame_announced_too_large_is_refused_before_it_comes() -> None:
    with pytest.raises(ProtocolError, match="limit"):
        _fed(b"SEND\ncontent-length:1000000000000\n\n").next_frame()


def test_a_large_body_in_small_pieces_is_joined_once() -> None:
    """Joined for every piece it would be copied 16 million times."""
    body = bytes(range(1, 256)) * 65_536
    data = encode_frame("SEND", {"destination": "/queue/a"}, body)
    reader = FrameReader()
    for start in range(0, len(data) - 1, 4096):
        reader.feed(data[start : min(start + 4096, len(data) - 1)])
        assert reader.next_frame() is None
        assert len(reader._buffer) < 8192
    assert reader.incomplete
    reader.feed(data[-1:])
    frame = reader.next_frame()
    assert frame is not None
    assert frame.body == body
    assert not reader.incomplete


def test_a_beat_is_not_incomplete() -> None:
    reader = _fed(BEAT)
    assert reader.next_frame() is None
    assert not reader.incomplete


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1)
values = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
frames_12 = st.builds(
    Frame,
    st.sampled_from(sorted(ALL - {"CONNECT", "STOMP", "CONNECTED"})),
    st.dictionaries(names.filter(lambda name: name != "content-length"), values, max_size=5),
    st.binary(max_size=50),
)


@given(st.lists(frames_12, max_size=4), st.randoms())
def test_what_is_written_is_read(frames: list[Frame], random: object) -> None:
    data = b"".join(encode_frame(one.command, one.headers, one.body, content_length=True) for one in frames)
    found = read(*cuts(data, random), commands=ALL)
    for one in found:
        assert isinstance(one, Frame)
        assert int(one.headers.pop("content-length")) == len(one.body)
    assert found == frames


@given(st.lists(MESSES, max_size=6).map(b"".join), st.randoms(), st.sampled_from(VERSIONS))
def test_pieces_make_no_difference(data: bytes, random: object, version: str) -> None:
    whole = events(read(data, version=version))
    assert events(read(*cuts(data, random), version=version)) == whole
    assert events(read(*(data[index : index + 1] for index in range(len(data))), version=version)) == whole


@given(values, st.sampled_from(VERSIONS))
def test_an_escaped_value_cannot_end_its_line(value: str, version: str) -> None:
    assert not set(escape(value, version)) & {"\n", "\r", "\x00"}


def test_a_body_with_nul_needs_its_length() -> None:
    with pytest.raises(ProtocolError, match="content-length"):
        encode_frame("MESSAGE", {}, b"\x00")


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(ProtocolError, match="not Unicode"):
        encode_frame("MESSAGE", {"a": "\ud800"})


def test_a_head_over_the_limit_is_refused_in_pieces_as_well() -> None:
    """Found by a fuzzer: a head that was too long already was told only when its line ended."""
    data = b"SEND\n" + b"a:1\n" * 8 + b"b" * 30
    limits = Limits(header_line=100, head=60)
    whole = read(data, limits=limits)
    assert [type(one) for one in whole] == [ProtocolError]
    assert events(read(*(data[index : index + 1] for index in range(len(data))), limits=limits)) == events(whole)
