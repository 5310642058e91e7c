r"""STOMP frames: bytes in, frames out, and back.  Nothing here waits or opens a socket.

    COMMAND EOL  *( name ":" value EOL )  EOL  body NUL  *( EOL )          EOL is LF or CR LF

The reader is fed whatever came and gives frames one by one, because the version that CONNECT agrees on decides how the
headers of the frame behind it are read (`version` may be changed between frames).

Rule 1: bytes become frames, or one `ProtocolError`, after which the reader gives nothing more; never anything else.
Rule 2: the pieces in which bytes come make no difference to what comes out.
Rule 3: a frame is judged as early as possible: nobody can make us keep more than the limits say.
Rule 4: no Python work per byte.  Each byte is searched and copied a fixed number of times, however small the pieces.

What the versions differ in: 1.0 has no escapes and trims names and values; 1.1 knows \n \c \\ and 1.2 also \r.
CONNECT, STOMP and CONNECTED are never escaped, for their reader may not know the version yet.  In every version an end
of line may be CR LF, the first of repeated headers counts, and a colon in a value needs no escape, because real
clients send it so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import msgspec

from rmimom.errors import MessageFormatError

V1_0: Final = "1.0"
V1_1: Final = "1.1"
V1_2: Final = "1.2"
VERSIONS: Final = (V1_0, V1_1, V1_2)

CLIENT_COMMANDS: Final = frozenset(
    {
        "CONNECT",
        "STOMP",
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "ACK",
        "NACK",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "DISCONNECT",
    }
)
SERVER_COMMANDS: Final = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})
UNESCAPED: Final = frozenset({"CONNECT", "STOMP", "CONNECTED"})
"""Frames whose headers are written as they are (STOMP 1.2, Value Encoding)."""

BEAT: Final = b"\n"
"""What is sent when there is nothing to say (STOMP 1.2, Heart-beating)."""

_LONGEST_COMMAND: Final = 32
_USUAL_HEAD: Final = 512
_END_OF_HEADERS: Final = re.compile(rb"\n\r?\n")
_BETWEEN_FRAMES: Final = re.compile(rb"[\r\n\x00]*")
_GREATEST_BETWEEN: Final = ord("\r")
_ESCAPE: Final = re.compile(r"\\(.?)", re.DOTALL)
_UNESCAPED: Final[Mapping[str, Mapping[str, str]]] = {
    V1_1: {"n": "\n", "c": ":", "\\": "\\"},
    V1_2: {"n": "\n", "c": ":", "\\": "\\", "r": "\r"},
}
# What a version has no escape for is written in the words of a later one: better two odd characters in a value than
# a header that somebody smuggled in.  The backslash comes first, for the others are written with one.
_ESCAPED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    V1_0: (("\n", "\\n"), ("\r", "\\r"), ("\x00", "\\0")),
    V1_1: (("\\", "\\\\"), ("\n", "\\n"), (":", "\\c"), ("\r", " "), ("\x00", " ")),
    V1_2: (("\\", "\\\\"), ("\n", "\\n"), (":", "\\c"), ("\r", "\\r"), ("\x00", " ")),
}


class ProtocolError(MessageFormatError):
    """The bytes are no STOMP frame; what follows them cannot be understood either.

    `receipt` is the receipt that the frame asked for, as far as that was understood, else empty.
    """

    code: ClassVar[str] = "message-format"

    def __init__(self, text: str, receipt: str = "") -> None:
        super().__init__(text)
        self.receipt = receipt


class Frame(msgspec.Struct, gc=False):
    """One frame; the headers are decoded."""

    command: str
    headers: dict[str, str]
    body: bytes = b""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame may take, in bytes but for the number of headers.

    ActiveMQ allows 1000 headers of 10 KiB and 100 MiB; a header of ours may be longer, for tokens and paths grow.
    `empty_lines` may come before the first frame: later they are heart-beats, of which there is no number.
    """

    header_line: int = 64 * 1024
    headers: int = 1000
    head: int = 256 * 1024
    body: int = 100 * 1024 * 1024
    empty_lines: int = 1024


class FrameReader:
    """Turns the bytes of one connection into frames.

    `version` and `limits` may be changed between frames; `commands` are those that the other side may send.
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_empty_lines",
        "_error",
        "_head",
        "_marks",
        "_need",
        "_position",
        "_size",
        "commands",
        "limits",
        "version",
    )

    def __init__(
        self, limits: Limits | None = None, *, version: str = V1_2, commands: frozenset[str] = CLIENT_COMMANDS
    ) -> None:
        self.limits = limits if limits is not None else Limits()
        self.version = version
        self.commands = commands
        self._buffer = b""
        self._position = 0  # in the buffer, of what was not read yet
        self._chunks: list[bytes] = []  # what came since the buffer was made
        self._size = 0  # of all that was not read yet
        self._need = 0  # less than this is of no use, unless ...
        self._marks: tuple[bytes, ...] = ()  # ... one of these comes
        self._head: tuple[str, dict[str, str], int] | None = None  # of a frame whose body is awaited, -1: up to NUL
        self._empty_lines = self.limits.empty_lines  # that may come before the first frame, -1: it was there
        self._error: ProtocolError | None = None

    @property
    def buffered(self) -> int:
        """Bytes that came and were not given in a frame yet."""
        return self._size

    @property
    def incomplete(self) -> bool:
        """Whether a frame has begun and its rest is awaited; true only after `next_frame` returned None."""
        return self._head is not None or self._size > 0

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self._error is None:
            self._chunks.append(data)
            self._size += len(data)
            for mark in self._marks:
                if mark in data:
                    self._need = 0

    def next_frame(self) -> Frame | None:
        """The next frame, or None until more is fed.  Raises ProtocolError, once; then there is nothing more."""
        if self._error is not None or self._size < self._need or not self._size:
            return None
        try:
            return self._next()
        except ProtocolError as error:
            self._error = error
            self._buffer = b""
            self._chunks.clear()
            self._size = 0
            self._head = None
            raise

    def frames(self) -> Iterator[Frame]:
        """What `next_frame` gives until it gives None."""
        while (frame := self.next_frame()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if self._chunks:
            self._gather()
        head = self._head
        if head is None:
            head = self._read_head()
            if head is None:
                return None
        command, headers, length = head
        buffer, start = self._buffer, self._position
        if length < 0:
            end = buffer.find(b"\x00", start)
            size = (end if end >= 0 else len(buffer)) - start
            if size > self.limits.body:
                raise self._too_large(headers, size)
            if end < 0:
                self._await(self.limits.body + 1, (b"\x00",), head)
                return None
        else:
            end = start + length
            if end >= len(buffer):
                self._await(length + 1, (), head)
                return None
            if buffer[end]:
                raise ProtocolError(
                    f"content-length is {length}, but the byte behind the body is not NUL", headers.get("receipt", "")
                )
        self._head = None
        self._need = 0
        self._marks = ()
        self._position = end + 1
        self._size = len(buffer) - self._position
        return Frame(command, headers, buffer[start:end])

    def _gather(self) -> None:
        """Make one buffer of what is left of it and what came."""
        chunks = self._chunks
        if self._position < len(self._buffer):
            chunks.insert(0, self._buffer[self._position :] if self._position else self._buffer)
        self._buffer = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._position = 0
        self._chunks = []

    def _await(
        self, size: int, marks: tuple[bytes, ...] = (), head: tuple[str, dict[str, str], int] | None = None
    ) -> None:
        """Look again when there are so many bytes, or when one of the marks came."""
        self._size = len(self._buffer) - self._position
        self._need = size
        self._marks = marks
        self._head = head

    def _too_large(self, headers: Mapping[str, str], size: int) -> ProtocolError:
        return ProtocolError(
            f"the body has {size} bytes or more; the limit is {self.limits.body} bytes", headers.get("receipt", "")
        )

    def _read_head(self) -> tuple[str, dict[str, str], int] | None:
        """Command, headers and length of the body (-1: up to NUL), or None until the head is complete."""
        buffer = self._buffer
        start = self._position
        if start == len(buffer) or buffer[start] <= _GREATEST_BETWEEN:
            found = _BETWEEN_FRAMES.match(buffer, start)
            assert found is not None
            start = found.end()
            if self._empty_lines >= 0:
                self._count_empty_lines(start - self._position)
            self._position = start
        if start == len(buffer):
            self._buffer = b""
            self._position = 0
            self._await(0)
            return None
        # Nearly every head ends in LF LF; only if there is another end before that, or none near, it is searched for.
        end = buffer.find(b"\n\n", start, start + _USUAL_HEAD)
        behind = end + 2
        if end < 0 or buffer.find(b"\n\r\n", start, end) >= 0:
            ending = _END_OF_HEADERS.search(buffer, start)
            end, behind = ending.span() if ending is not None else (len(buffer), 0)
        if end - start > self.limits.head:
            raise ProtocolError(f"the headers have more than {self.limits.head} bytes")
        head = buffer[start:end]
        if b"\x00" in head:
            raise ProtocolError("the frame ends in its headers; an empty line must follow them")
        if not behind:
            self._await_rest_of(head)
            return None
        self._position = behind
        self._empty_lines = -1
        return self._decode_head(head)

    def _count_empty_lines(self, count: int) -> None:
        self._empty_lines -= count
        if self._empty_lines < 0:
            raise ProtocolError("there are too many empty lines before the first frame")

    def _await_rest_of(self, head: bytes) -> None:
        """Wait for more lines; raises ProtocolError for what cannot become a head any more."""
        first = head.find(b"\n")
        if (first if first >= 0 else len(head)) > _LONGEST_COMMAND:
            raise self._unknown_command(head)
        if first < 0:
            self._await(0)
            return
        line = len(head) - head.rfind(b"\n") - 1
        # A CR may stand behind a line of the greatest length.
        if line > self.limits.header_line + 1 or self._has_long_line(head[:-line] if line else head):
            raise self._long_line()
        if head.count(b"\n") > self.limits.headers + 1:
            raise self._many_headers()
        too_long = min(len(head) + self.limits.header_line + 2 - line, self.limits.head + 1)
        self._await(too_long, (b"\n", b"\x00"))

    @staticmethod
    def _unknown_command(command: bytes, receipt: str = "") -> ProtocolError:
        text = command[:_LONGEST_COMMAND].decode("utf-8", "backslashreplace")
        return ProtocolError(f"{text!r} is no command of STOMP that can be sent here", receipt)

    def _long_line(self) -> ProtocolError:
        return ProtocolError(f"a header has more than {self.limits.header_line} bytes")

    def _has_long_line(self, head: bytes) -> bool:
        limit = self.limits.header_line
        return len(head) > limit and any(len(line.removesuffix(b"\r")) > limit for line in head.split(b"\n"))

    def _many_headers(self) -> ProtocolError:
        return ProtocolError(f"the frame has more than {self.limits.headers} headers")

    def _decode_head(self, head: bytes) -> tuple[str, dict[str, str], int]:
        limits = self.limits
        try:
            text = head.decode()
        except UnicodeDecodeError:
            raise ProtocolError("the headers are not UTF-8") from None
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        command, *lines = text.split("\n")
        if len(lines) > limits.headers:
            raise self._many_headers()
        if len(head) > limits.header_line and self._has_long_line(head):
            raise self._long_line()
        escaped = command not in UNESCAPED and ("\\" in text or self.version == V1_0)
        headers = self._decode_headers(lines, escaped=escaped) if lines else {}
        if command not in self.commands:
            raise self._unknown_command(command.encode(), headers.get("receipt", ""))
        return command, headers, self._length(headers) if "content-length" in headers else -1

    def _decode_headers(self, lines: list[str], *, escaped: bool) -> dict[str, str]:
        pairs = [line.split(":", 1) for line in lines]
        try:
            headers = dict(pairs)  # a line without a colon is no pair, and raises
        except ValueError:
            line = next(line for line in lines if ":" not in line)
            raise ProtocolError(f"the header {line[:80]!r} has no colon") from None
        if len(headers) < len(pairs):
            # dict() lets the last one win, and it is the first that counts.
            headers = {}
            for name, value in pairs:
                headers.setdefault(name, value)
        if "" in headers:
            raise ProtocolError(f"a header has no name, only the value {headers[''][:80]!r}")
        if not escaped:
            return headers
        if self.version == V1_0:
            return {name.strip() or name: value.strip() for name, value in headers.items()}
        # Names may be the same only after this.
        decoded: dict[str, str] = {}
        for name, value in pairs:
            decoded.setdefault(self._unescape(name), self._unescape(value))
        return decoded

    def _unescape(self, text: str) -> str:
        if "\\" not in text:
            return text
        escapes = _UNESCAPED[self.version]

        def replace(found: re.Match[str]) -> str:
            meant = escapes.get(found[1])
            if meant is None:
                raise ProtocolError(f"{found[0]!r} is no escape of STOMP {self.version}")
            return meant

        return _ESCAPE.sub(replace, text)

    def _length(self, headers: Mapping[str, str]) -> int:
        text = headers["content-length"]
        digits = text.strip()
        if not (digits.isascii() and digits.isdigit()):
            raise ProtocolError(
                f"content-length is {text[:80]!r}, but must be a number of bytes", headers.get("receipt", "")
            )
        # The digits of a very long number are not worth counting.
        length = int(digits) if len(digits) < 20 else 2**63
        if length > self.limits.body:
            raise self._too_large(headers, length)
        return length


def escape(text: str, version: str) -> str:
    """A name or value of a header as it is written in frames of this version other than CONNECTED."""
    for letter, written in _ESCAPED[version]:
        if letter in text:
            text = text.replace(letter, written)
    return text


def encode_frame(
    command: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    version: str = V1_2,
    content_length: bool = False,
) -> bytes:
    """A frame as bytes; `content_length` says whether to tell how long the body is.

    A body with a NUL in it needs that.  Raises ProtocolError if it is missing then, or if a header holds what cannot be
    encoded.
    """
    # CONNECTED and its like know no escapes: what would end the line is written as in version 1.0.
    wanted = V1_0 if command in UNESCAPED else version
    lines = [command]
    lines += [f"{escape(name, wanted)}:{escape(value, wanted)}" for name, value in headers.items()]
    if content_length:
        lines.append(f"content-length:{len(body)}")
    elif b"\x00" in body:
        raise ProtocolError("a body that holds NUL must be sent with its content-length")
    try:
        return b"%b\n\n%b\x00" % ("\n".join(lines).encode(), body)
    except UnicodeEncodeError as error:
        raise ProtocolError(f"a header holds text that is not Unicode: {error}") from None
