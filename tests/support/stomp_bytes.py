"""Bytes for readers of STOMP: cut at random, and messes made of what frames are made of."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from rmimom.stomp.codec import CLIENT_COMMANDS, Frame, FrameReader, Limits, ProtocolError

MESSES: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            *(command.encode() + b"\n" for command in sorted(CLIENT_COMMANDS)),
            b"SEND\r\ndestination:/queue/a\r\ncontent-length:3\r\n\r\na\x00b\x00",
            b"SEND\n\nbody\x00",
            b"content-length:",
            b"receipt:1\n",
            b"12\n",
            b"\\c",
            b"\\x",
            b"\n",
            b"\r\n",
            b"\n\n",
            b"\x00",
            b":",
            b"\xff",
            b"\n" * 2000,
            b"A" * 40,
        ]
    ),
)


def cuts(data: bytes, random: Any) -> list[bytes]:
    """The data in up to six pieces; `random` is a `random.Random`."""
    assert isinstance(random, Random)
    at = sorted(random.randint(0, len(data)) for _ in range(random.randint(0, 5)))
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


def read(
    *pieces: bytes,
    limits: Limits | None = None,
    version: str = "1.2",
    commands: frozenset[str] = CLIENT_COMMANDS,
) -> list[Frame | ProtocolError]:
    """What a reader gives when it is fed these pieces: frames, and perhaps one error at the end."""
    reader = FrameReader(limits, version=version, commands=commands)
    found: list[Frame | ProtocolError] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            for frame in reader.frames():
                found.append(frame)  # noqa: PERF402 - those before an error count
        except ProtocolError as error:
            found.append(error)
    return found


def events(found: list[Frame | ProtocolError]) -> list[Frame | type[ProtocolError]]:
    """The same without the text of an error, which may depend on how far the reader saw."""
    return [ProtocolError if isinstance(one, ProtocolError) else one for one in found]
