"""Pyro5's frames: bytes in, messages out, and back.  Nothing here waits or opens a socket.

A message is a header of 40 bytes, then annotations (a name of four letters, a length, bytes), then the payload.
`Pyro5.protocol` describes it.  Its own reader asks a blocking socket, trusts the announced sizes up to a
gigabyte and unpacks compressed payloads without a bound; this one

1. is fed whatever came and keeps no more than one message that is not complete yet,
2. judges a message by its header, before anything of it is kept,
3. copies each byte a fixed number of times, however small the pieces are in which it came,
4. never makes more of a message than `limit` bytes, compressed or not.

Annotations are views into the bytes that came, for they carry the message batches.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, TypeAlias

from Pyro5 import protocol

from rmimom.errors import MessageFormatError, MessageTooLargeError

CONNECT: Final[int] = protocol.MSG_CONNECT
CONNECT_OK: Final[int] = protocol.MSG_CONNECTOK
CONNECT_FAIL: Final[int] = protocol.MSG_CONNECTFAIL
INVOKE: Final[int] = protocol.MSG_INVOKE
RESULT: Final[int] = protocol.MSG_RESULT
PING: Final[int] = protocol.MSG_PING

EXCEPTION: Final[int] = protocol.FLAGS_EXCEPTION
COMPRESSED: Final[int] = protocol.FLAGS_COMPRESSED
ONEWAY: Final[int] = protocol.FLAGS_ONEWAY
BATCH: Final[int] = protocol.FLAGS_BATCH
ITEM_STREAM: Final[int] = protocol.FLAGS_ITEMSTREAMRESULT
KEEP_SERIALIZED: Final[int] = protocol.FLAGS_KEEPSERIALIZED
CORRELATED: Final[int] = protocol.FLAGS_CORR_ID

HEADER: Final = struct.Struct("!4sHBBHHII16sHH")
"""Tag, version, type, serializer, flags, sequence, payload size, annotations size, correlation id, reserved, magic."""
HEADER_SIZE: Final = HEADER.size
NO_CORRELATION: Final = bytes(16)

DEFAULT_LIMIT: Final = 101 * 1024 * 1024
"""A message body of 100 MiB, the default `max_message_size` of the server, and some room around it."""
MAX_ANNOTATIONS: Final = 64
"""Pyro5 sets no limit; a client sends one or two, and each costs an entry of its own."""
COMPRESS_FROM: Final = 100
"""Shorter payloads are not compressed, as in Pyro5."""

_VERSION: Final[int] = protocol.PROTOCOL_VERSION
_MAGIC: Final = 0x4DC5
_TAG: Final = b"PYRO"
_CHUNK: Final = struct.Struct("!4sI")
_START: Final = _TAG + _VERSION.to_bytes(2, "big")

Buffer: TypeAlias = bytes | bytearray | memoryview


class FrameError(MessageFormatError):
    """The bytes are no Pyro message; what follows them cannot be understood either."""

    code: ClassVar[str] = "message-format"


class FrameTooLargeError(FrameError, MessageTooLargeError):
    """A message announces more than the limit, or grows beyond it when unpacked.

    `header` is the message without annotations and payload, for an answer.  The reader passes over the rest of
    the message without keeping it and then goes on with the next one.
    """

    code: ClassVar[str] = "message-too-large"

    def __init__(self, text: str, header: Message, **facts: int) -> None:
        super().__init__(text, **facts)
        self.header = header


class Message:
    """One message of the wire; `payload` is unpacked already, `annotations` are views of what came."""

    __slots__ = ("annotations", "correlation_id", "flags", "payload", "sequence", "serializer", "type")

    def __init__(
        self,
        type: int,
        flags: int,
        sequence: int,
        serializer: int,
        correlation_id: bytes,
        annotations: dict[str, memoryview],
        payload: bytes,
    ) -> None:
        self.type = type
        self.flags = flags
        self.sequence = sequence
        self.serializer = serializer
        self.correlation_id = correlation_id
        self.annotations = annotations
        self.payload = payload

    def __repr__(self) -> str:
        return (
            f"<Message type={self.type} flags={self.flags:#x} sequence={self.sequence} serializer={self.serializer}"
            f" annotations={sorted(self.annotations)} payload={len(self.payload)} bytes>"
        )


class FrameReader:
    """Turns the bytes of one connection into messages.

    `limit` is the largest size of annotations and payload together, in bytes.  With `drop_annotations` they are passed
    over without being kept, and only the payload counts: a proxy that reconnects in the middle of a call sends the
    annotations of that call, batch and all, with its handshake.  Both may be changed between messages.
    """

    __slots__ = ("_buffer", "_error", "_position", "_skip", "drop_annotations", "limit")

    def __init__(self, limit: int = DEFAULT_LIMIT, *, drop_annotations: bool = False) -> None:
        self.limit = limit
        self.drop_annotations = drop_annotations
        self._buffer: bytes | bytearray = b""
        self._position = 0
        self._skip = 0
        self._error: FrameError | None = None

    @property
    def buffered(self) -> int:
        """Bytes that came and were not given out yet."""
        return len(self._buffer) - self._position

    @property
    def incomplete(self) -> bool:
        """Whether more bytes have to come before the message under way is complete; ask when there is no next one."""
        return self._skip > 0 or len(self._buffer) > self._position

    def feed(self, data: bytes) -> None:
        """Take bytes that came.  They are looked at by `next_message`."""
        if self._skip:
            if len(data) <= self._skip:
                self._skip -= len(data)
                return
            data = data[self._skip :]
            self._skip = 0
        buffer = self._buffer
        position = self._position
        if position == len(buffer):
            self._buffer = data
            self._position = 0
        elif position == 0 and type(buffer) is bytearray:
            # No view of an annotation was handed out of this buffer, so it may grow.
            buffer += data
        else:
            fresh = bytearray(memoryview(buffer)[position:])
            fresh += data
            self._buffer = fresh
            self._position = 0

    def __iter__(self) -> Iterator[Message]:
        """The messages that are complete; raises what `next_message` raises."""
        while (message := self.next_message()) is not None:
            yield message

    def next_message(self) -> Message | None:
        """The next complete message, or None if more bytes are needed.

        Raises FrameTooLargeError once for a message over the limit, after which reading may go on, and FrameError
        for anything that is no message, now and at every later call.
        """
        if self._error is not None:
            raise self._error
        buffer = self._buffer
        start = self._position
        available = len(buffer) - start
        if available < HEADER_SIZE:
            if available:
                self._check_start(bytes(buffer[start : start + 6]))
            return None
        tag, version, kind, serializer, flags, sequence, payload_size, annotations_size, correlation_id, _, magic = (
            HEADER.unpack_from(buffer, start)
        )
        if tag != _TAG or version != _VERSION or magic != _MAGIC:
            self._check_start(bytes(buffer[start : start + 6]))
            raise self._fail("the magic number of the message header is wrong")
        if annotations_size and self.drop_annotations:
            # Continue as if the message had come without them; what of them is still to come is not kept.
            header = HEADER.pack(
                tag, version, kind, serializer, flags, sequence, payload_size, 0, correlation_id, 0, magic
            )
            come = min(annotations_size, available - HEADER_SIZE)
            self._buffer = buffer = header + buffer[start + HEADER_SIZE + come :]
            self._skip = annotations_size - come
            self._position = start = 0
            available = len(buffer)
            annotations_size = 0
        size = payload_size + annotations_size
        end = start + HEADER_SIZE + size
        if size > self.limit:
            self._pass_over(end)
            raise FrameTooLargeError(
                f"the message has {size} bytes, {self.limit} are allowed: send smaller ones, or fewer at a time",
                Message(kind, flags, sequence, serializer, correlation_id, {}, b""),
                size=size,
                limit=self.limit,
            )
        if end > start + available:
            return None
        body = end - payload_size
        annotations = self._annotations(memoryview(buffer)[start + HEADER_SIZE : body]) if annotations_size else {}
        payload = buffer[body:end] if type(buffer) is bytes else bytes(memoryview(buffer)[body:end])
        self._pass_over(end)
        message = Message(kind, flags, sequence, serializer, correlation_id, annotations, payload)
        if flags & COMPRESSED:
            message.flags = flags & ~COMPRESSED
            message.payload = self._unpack(message)
        return message

    def _pass_over(self, end: int) -> None:
        length = len(self._buffer)
        if end < length:
            self._position = end
        else:
            self._skip += end - length
            self._buffer = b""
            self._position = 0

    def _fail(self, text: str) -> FrameError:
        self._error = FrameError(text)
        self._buffer = b""
        self._position = 0
        return self._error

    def _check_start(self, start: bytes) -> None:
        # A stranger who speaks something else may never send 40 bytes: the first ones say enough.
        if _START.startswith(start):
            return
        if not start.startswith(_TAG[: len(start)]):
            raise self._fail(f"this is no Pyro message: it begins with {start!r}, must be {_TAG!r}")
        version = int.from_bytes(start[4:6], "big") if len(start) == 6 else start[4] << 8
        raise self._fail(f"the message has version {version} of Pyro's protocol, must be {_VERSION} (Pyro5)")

    def _annotations(self, area: memoryview) -> dict[str, memoryview]:
        found: dict[str, memoryview] = {}
        position = 0
        length = len(area)
        while position < length:
            if length - position < 8:
                raise self._fail("the annotations end in the middle of a header")
            name, size = _CHUNK.unpack_from(area, position)
            position += 8
            if size > length - position:
                raise self._fail("an annotation is longer than the room that the header leaves for it")
            if not name.isascii():
                raise self._fail(f"the name of an annotation must be four ASCII letters, not {name!r}")
            if len(found) == MAX_ANNOTATIONS:
                raise self._fail(f"the message has more than {MAX_ANNOTATIONS} annotations")
            found[name.decode("ascii")] = area[position : position + size]
            position += size
        return found

    def _unpack(self, message: Message) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            payload = unpacker.decompress(message.payload, self.limit + 1)
        except zlib.error as error:
            raise self._fail(f"the compressed payload cannot be unpacked: {error}") from None
        if len(payload) > self.limit:
            message.payload = b""
            raise FrameTooLargeError(
                f"the unpacked payload has more than {self.limit} bytes, the limit: send smaller messages",
                message,
                limit=self.limit,
            )
        if not unpacker.eof or unpacker.unused_data:
            raise self._fail("the compressed payload has a wrong length")
        return payload


def encode_message(
    type: int,
    flags: int,
    sequence: int,
    serializer: int,
    payload: bytes,
    annotations: Mapping[str, Buffer] | None = None,
    correlation_id: bytes = NO_CORRELATION,
    *,
    compress: bool = False,
) -> bytes:
    """The bytes of one message.

    `Pyro5.protocol.SendingMessage` takes the correlation id from the thread and the limit and the compression from a
    global; here they are said.  Annotations are never compressed, as in Pyro5.  Raises ValueError if the name of an
    annotation has not four ASCII letters, MessageTooLargeError if a size does not fit into the header.
    """
    if correlation_id != NO_CORRELATION:
        flags |= CORRELATED
    if compress and len(payload) > COMPRESS_FROM:
        payload = zlib.compress(payload, 4)
        flags |= COMPRESSED
    if not annotations:
        return _pack(type, flags, sequence, serializer, len(payload), 0, correlation_id) + payload
    parts: list[Buffer] = [b""]
    annotations_size = 0
    for name, data in annotations.items():
        if len(name) != 4 or not name.isascii():
            raise ValueError(f"the name of an annotation must be four ASCII letters, not {name!r}")
        size = len(data) if not isinstance(data, memoryview) else data.nbytes
        if size > 0xFFFF_FFFF:
            raise MessageTooLargeError(
                f"annotation {name} has {size} bytes, at most 4 GiB fit into a message", size=size
            )
        parts.append(_CHUNK.pack(name.encode("ascii"), size))
        parts.append(data)
        annotations_size += 8 + size
    parts[0] = _pack(type, flags, sequence, serializer, len(payload), annotations_size, correlation_id)
    parts.append(payload)
    return b"".join(parts)


def _pack(
    type: int, flags: int, sequence: int, serializer: int, payload: int, annotations: int, correlation_id: bytes
) -> bytes:
    if payload > 0xFFFF_FFFF or annotations > 0xFFFF_FFFF:
        size = payload + annotations
        raise MessageTooLargeError(f"the message has {size} bytes, at most 4 GiB fit into one", size=size)
    return HEADER.pack(
        _TAG, _VERSION, type, serializer, flags, sequence, payload, annotations, correlation_id, 0, _MAGIC
    )
