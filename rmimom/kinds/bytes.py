"""BytesMessage: bytes, written and read as values (Jakarta Messaging 3.1 §3.11).

Values are in the form of Java's DataOutput: big-endian, text in modified UTF-8 behind its length in two bytes.
A message that was made is written, one that was received is read; `reset` and `clear_body` change that.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rmimom.conversion import typed
from rmimom.errors import MessageEOFError, MessageFormatError
from rmimom.message import UNREAD, Message
from rmimom.modified_utf8 import decode_modified, encode_modified
from rmimom.values import Byte, Char, Float, Int, MapValue, Short

_LONGEST_UTF: Final = 0xFFFF
_BYTE: Final = struct.Struct(">b")
_UNSIGNED_BYTE: Final = struct.Struct(">B")
_SHORT: Final = struct.Struct(">h")
_UNSIGNED_SHORT: Final = struct.Struct(">H")
_INT: Final = struct.Struct(">i")
_LONG: Final = struct.Struct(">q")
_FLOAT: Final = struct.Struct(">f")
_DOUBLE: Final = struct.Struct(">d")


class BytesMessage(Message, kind="bytes"):
    """A message whose body is bytes.

    The writers raise MessageFormatError for a value that is not allowed, and MessageNotWriteableError while the message
    is read-only.  The readers raise MessageNotReadableError while it is written, and MessageEOFError when fewer bytes
    are left than the value has; then nothing is passed over.
    """

    __slots__ = ("_position", "_written")

    if TYPE_CHECKING:
        _position: int
        _written: bytearray

    @property
    def body_length(self) -> int:
        """The number of bytes; raises MessageNotReadableError while the message is written."""
        self._check_body_readable()
        return len(self.body)

    def reset(self) -> None:
        """Make the body read-only, to be read from its beginning."""
        self._body = self.body
        self._lock_body()
        self._position = 0

    def read_boolean(self) -> bool:
        """The next byte; any but 0 is True."""
        return self._read(_BYTE) != 0  # type: ignore[no-any-return]

    def read_byte(self) -> int:
        """The next byte as a number from -128 to 127."""
        return self._read(_BYTE)  # type: ignore[no-any-return]

    def read_unsigned_byte(self) -> int:
        """The next byte as a number from 0 to 255."""
        return self._read(_UNSIGNED_BYTE)  # type: ignore[no-any-return]

    def read_short(self) -> int:
        """The next two bytes as a number from -32768 to 32767."""
        return self._read(_SHORT)  # type: ignore[no-any-return]

    def read_unsigned_short(self) -> int:
        """The next two bytes as a number from 0 to 65535."""
        return self._read(_UNSIGNED_SHORT)  # type: ignore[no-any-return]

    def read_char(self) -> str:
        """The next two bytes as a character; raises MessageFormatError if it is half of one."""
        data = self._ahead(2)
        (code,) = _UNSIGNED_SHORT.unpack(data)
        if 0xD800 <= code <= 0xDFFF:
            raise MessageFormatError(f"the bytes {data.hex()} are half of a surrogate pair, which is no character")
        self._position += 2
        return chr(code)

    def read_int(self) -> int:
        """The next four bytes as an integer."""
        return self._read(_INT)  # type: ignore[no-any-return]

    def read_long(self) -> int:
        """The next eight bytes as an integer."""
        return self._read(_LONG)  # type: ignore[no-any-return]

    def read_float(self) -> float:
        """The next four bytes as a floating-point number."""
        return self._read(_FLOAT)  # type: ignore[no-any-return]

    def read_double(self) -> float:
        """The next eight bytes as a floating-point number."""
        return self._read(_DOUBLE)  # type: ignore[no-any-return]

    def read_utf(self) -> str:
        """The text that `write_utf` wrote; raises MessageFormatError if there is none here."""
        (length,) = _UNSIGNED_SHORT.unpack(self._ahead(2))
        text = decode_modified(self._ahead(2 + length)[2:])
        self._position += 2 + length
        return text

    def read_bytes(self, length: int | None = None) -> bytes:
        """The next bytes, all of them or at most `length`; none at the end."""
        self._check_body_readable()
        start = self._start()
        body: bytes = self.body
        found = body[start:] if length is None else body[start : start + length]
        self._position = start + len(found)
        return found

    def write_boolean(self, value: bool) -> None:
        """Write one byte, 1 for True and 0 for False."""
        self._write(_BYTE, typed(value, "boolean", "the value"))

    def write_byte(self, value: int) -> None:
        """Write one byte: a number from -128 to 127."""
        self._write(_BYTE, typed(value, "byte", "the value"))

    def write_short(self, value: int) -> None:
        """Write two bytes: a number from -32768 to 32767."""
        self._write(_SHORT, typed(value, "short", "the value"))

    def write_char(self, value: str) -> None:
        """Write a character of the Basic Multilingual Plane in two bytes; others fit into text only."""
        char = typed(value, "char", "the value")
        if ord(char) > 0xFFFF:
            raise MessageFormatError(f"{value!r} does not fit into a char of 16 bits; write it with write_utf")
        self._write(_UNSIGNED_SHORT, ord(char))

    def write_int(self, value: int) -> None:
        """Write an integer of 32 bits."""
        self._write(_INT, typed(value, "int", "the value"))

    def write_long(self, value: int) -> None:
        """Write an integer of 64 bits."""
        self._write(_LONG, typed(value, "long", "the value"))

    def write_float(self, value: float) -> None:
        """Write a floating-point number of 32 bits."""
        self._write(_FLOAT, typed(value, "float", "the value"))

    def write_double(self, value: float) -> None:
        """Write a floating-point number of 64 bits."""
        self._write(_DOUBLE, typed(value, "double", "the value"))

    def write_utf(self, value: str) -> None:
        """Write text in modified UTF-8 behind its length; raises MessageFormatError over 65535 bytes."""
        self._check_body_writable()
        if not isinstance(value, str):
            raise MessageFormatError(f"the value is to be text, but {value!r} is a {type(value).__name__}")
        data = encode_modified(value)
        if len(data) > _LONGEST_UTF:
            raise MessageFormatError(
                f"the text has {len(data)} bytes in modified UTF-8; its length must fit into two bytes, {_LONGEST_UTF}"
            )
        self._append(_UNSIGNED_SHORT.pack(len(data)) + data)

    def write_bytes(self, value: bytes, offset: int = 0, length: int | None = None) -> None:
        """Write bytes as they are, or `length` of them from `offset` on."""
        self._check_body_writable()
        if not isinstance(value, bytes | bytearray | memoryview):
            raise MessageFormatError(f"the value is to be bytes, but {value!r} is a {type(value).__name__}")
        self._append(bytes(value[offset:] if length is None else value[offset : offset + length]))

    def write_object(self, value: MapValue) -> None:
        """Write a value of the type it has, see `rmimom.values`; raises TypeError for None, which has none."""
        if value is None:
            raise TypeError("None has no type, so it cannot be written to a BytesMessage")
        write = _WRITERS.get(type(value))
        if write is None:
            allowed = ", ".join(kind.__name__ for kind in _WRITERS)
            raise MessageFormatError(
                f"the value has the type {type(value).__name__}; allowed are {allowed}", type=type(value).__name__
            )
        write(self, value)

    def _start(self) -> int:
        return getattr(self, "_position", 0)  # a received message comes without

    def _ahead(self, count: int) -> bytes:
        """The next bytes, which are not passed over."""
        self._check_body_readable()
        start = self._start()
        body: bytes = self.body
        found = body[start : start + count]
        if len(found) < count:
            raise MessageEOFError(f"{count} bytes were to be read, but of {len(body)} only {len(found)} are left")
        self._position = start
        return found

    def _read(self, form: struct.Struct) -> Any:
        (value,) = form.unpack(self._ahead(form.size))
        self._position += form.size
        return value

    def _write(self, form: struct.Struct, value: Any) -> None:
        self._check_body_writable()
        self._append(form.pack(value))

    def _append(self, data: bytes) -> None:
        self._written += data
        self._body = UNREAD

    def _written_body(self) -> bytes:
        body = self._body = bytes(self._written)
        return body

    def _put_body(self, body: object) -> None:
        self._position = 0
        self._body = typed(body, "bytes", "the body of a BytesMessage") or b""
        self._written = bytearray(self._body)


_WRITERS: Final[Mapping[type, Callable[[BytesMessage, Any], None]]] = {
    bool: BytesMessage.write_boolean,
    Byte: BytesMessage.write_byte,
    Short: BytesMessage.write_short,
    Char: BytesMessage.write_char,
    Int: BytesMessage.write_int,
    int: BytesMessage.write_long,
    Float: BytesMessage.write_float,
    float: BytesMessage.write_double,
    str: BytesMessage.write_utf,
    bytes: BytesMessage.write_bytes,
    bytearray: BytesMessage.write_bytes,
    memoryview: BytesMessage.write_bytes,
}
