"""StreamMessage: values with JMS types, one after the other (Jakarta Messaging 3.1 §3.11.3).

A message that was made is written, one that was received is read; `reset` and `clear_body` change that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rmimom.conversion import convert, typed, typed_object
from rmimom.errors import MessageEOFError, MessageFormatError
from rmimom.message import Message
from rmimom.readonly import frozen
from rmimom.values import MapValue


class _Cursor:
    """Where a stream is read: the number of the next field, and what is left of one of bytes that is read in parts."""

    __slots__ = ("position", "rest")

    def __init__(self) -> None:
        self.position = 0
        self.rest: bytes | None = None


class StreamMessage(Message, kind="stream"):
    """A message whose body is a list of simple values, see `rmimom.values`.

    The writers raise MessageFormatError for a value that is not allowed, and MessageNotWriteableError while the message
    is read-only.  The readers raise MessageNotReadableError while it is written, MessageEOFError behind the last field,
    MessageFormatError when the field was written as a type that cannot be read so, and ValueError when its text is no
    such number.  A field that is null is None as a string, bytes or an object, False as a boolean; as a number it
    raises ValueError, as a char TypeError.  After an error the same field can be read again.
    """

    __slots__ = ("_cursor",)

    if TYPE_CHECKING:
        _cursor: _Cursor | None

    def reset(self) -> None:
        """Make the body read-only, to be read from its beginning."""
        self._body = frozen(self.body)
        self._lock_body()
        self._cursor = None

    def read_boolean(self) -> bool:
        """The next field as a boolean."""
        return self._read("boolean")  # type: ignore[no-any-return]

    def read_byte(self) -> int:
        """The next field as an integer of 8 bits."""
        return self._read("byte")  # type: ignore[no-any-return]

    def read_short(self) -> int:
        """The next field as an integer of 16 bits."""
        return self._read("short")  # type: ignore[no-any-return]

    def read_char(self) -> str:
        """The next field as one character."""
        return self._read("char")  # type: ignore[no-any-return]

    def read_int(self) -> int:
        """The next field as an integer of 32 bits."""
        return self._read("int")  # type: ignore[no-any-return]

    def read_long(self) -> int:
        """The next field as an integer of 64 bits."""
        return self._read("long")  # type: ignore[no-any-return]

    def read_float(self) -> float:
        """The next field as a floating-point number of 32 bits."""
        return self._read("float")  # type: ignore[no-any-return]

    def read_double(self) -> float:
        """The next field as a floating-point number of 64 bits."""
        return self._read("double")  # type: ignore[no-any-return]

    def read_string(self) -> str | None:
        """The next field as text."""
        return self._read("string")  # type: ignore[no-any-return]

    def read_bytes(self, length: int | None = None) -> bytes | None:
        """The next field as bytes; None if it is null.

        With `length`, at most so many bytes of it, and further calls return what follows: a part that is shorter than
        `length` is the last one, and behind one that is not None may come.  Until then nothing else can be read, which
        raises MessageFormatError.
        """
        cursor = self._reading()
        rest = cursor.rest
        if rest is None:
            value: bytes | None = convert(self._field(cursor), "bytes", f"field {cursor.position}")
            cursor.position += 1
            if value is None or length is None or len(value) < length:
                return value
            cursor.rest = value[length:]
            return value[:length]
        if length is None or len(rest) < length:
            cursor.rest = None
            return rest or None
        cursor.rest = rest[length:]
        return rest[:length]

    def read_object(self) -> MapValue:
        """The next field in the type it was written as."""
        cursor = self._reading()
        value: MapValue = self._field(cursor)
        cursor.position += 1
        return value

    def write_boolean(self, value: bool) -> None:
        """Write a boolean."""
        self._write(value, "boolean")

    def write_byte(self, value: int) -> None:
        """Write an integer of 8 bits."""
        self._write(value, "byte")

    def write_short(self, value: int) -> None:
        """Write an integer of 16 bits."""
        self._write(value, "short")

    def write_char(self, value: str) -> None:
        """Write one character."""
        self._write(value, "char")

    def write_int(self, value: int) -> None:
        """Write an integer of 32 bits."""
        self._write(value, "int")

    def write_long(self, value: int) -> None:
        """Write an integer of 64 bits."""
        self._write(value, "long")

    def write_float(self, value: float) -> None:
        """Write a floating-point number of 32 bits."""
        self._write(value, "float")

    def write_double(self, value: float) -> None:
        """Write a floating-point number of 64 bits."""
        self._write(value, "double")

    def write_string(self, value: str | None) -> None:
        """Write text."""
        self._write(value, "string")

    def write_bytes(self, value: bytes | None) -> None:
        """Write bytes."""
        self._write(value, "bytes")

    def write_object(self, value: MapValue) -> None:
        """Write a value of the type it has."""
        self._write(value, None)

    def _reading(self) -> _Cursor:
        self._check_body_readable()
        cursor: _Cursor | None = getattr(self, "_cursor", None)  # a received message comes without
        if cursor is None:
            cursor = self._cursor = _Cursor()
        return cursor

    def _field(self, cursor: _Cursor) -> Any:
        if cursor.rest is not None:
            raise MessageFormatError(
                f"field {cursor.position - 1} holds bytes that are not read to their end; call read_bytes() first"
            )
        fields = self.body
        if cursor.position >= len(fields):
            raise MessageEOFError(f"the stream has {len(fields)} fields, and all of them were read")
        return fields[cursor.position]

    def _read(self, wanted: str) -> Any:
        cursor = self._reading()
        value = convert(self._field(cursor), wanted, f"field {cursor.position}")
        cursor.position += 1
        return value

    def _write(self, value: object, kind: str | None) -> None:
        self._check_body_writable()
        fields = self.body
        what = f"field {len(fields)}"
        fields.append(typed_object(value, what, body=True) if kind is None else typed(value, kind, what))

    def _put_body(self, body: object) -> None:
        self._cursor = None
        if body is None:
            body = []
        if not isinstance(body, list | tuple):
            raise MessageFormatError(
                f"the body of a StreamMessage must be a list, but this is a {type(body).__name__}",
                type=type(body).__name__,
            )
        self._body = [typed_object(value, f"field {index}", body=True) for index, value in enumerate(body)]
