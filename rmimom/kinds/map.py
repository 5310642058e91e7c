"""MapMessage: values with JMS types by name (Jakarta Messaging 3.1 §3.11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmimom.conversion import convert, typed, typed_object
from rmimom.errors import MessageFormatError
from rmimom.message import Message
from rmimom.values import MapValue, check_map_name


class MapMessage(Message, kind="map"):
    """A message whose body is a dict of simple values by name, see `rmimom.values`.

    The setters raise MessageFormatError for a name or a value that is not allowed, and MessageNotWriteableError when
    the message was received and `clear_body` was not called.  The getters raise MessageFormatError when the item was
    set as a type that cannot be read so, and ValueError when its text is no such number.  An item that is missing is as
    one that is null: None as a string, bytes or an object, False as a boolean; as a number it raises ValueError, as a
    char TypeError.
    """

    __slots__ = ()

    def item_exists(self, name: str) -> bool:
        """Whether the map has an item of this name."""
        return name in self.body

    @property
    def map_names(self) -> list[str]:
        """The names of all items."""
        return list(self.body)

    def get_boolean(self, name: str) -> bool:
        """The item as a boolean."""
        return self._get(name, "boolean")  # type: ignore[no-any-return]

    def get_byte(self, name: str) -> int:
        """The item as an integer of 8 bits."""
        return self._get(name, "byte")  # type: ignore[no-any-return]

    def get_short(self, name: str) -> int:
        """The item as an integer of 16 bits."""
        return self._get(name, "short")  # type: ignore[no-any-return]

    def get_char(self, name: str) -> str:
        """The item as one character."""
        return self._get(name, "char")  # type: ignore[no-any-return]

    def get_int(self, name: str) -> int:
        """The item as an integer of 32 bits."""
        return self._get(name, "int")  # type: ignore[no-any-return]

    def get_long(self, name: str) -> int:
        """The item as an integer of 64 bits."""
        return self._get(name, "long")  # type: ignore[no-any-return]

    def get_float(self, name: str) -> float:
        """The item as a floating-point number of 32 bits."""
        return self._get(name, "float")  # type: ignore[no-any-return]

    def get_double(self, name: str) -> float:
        """The item as a floating-point number of 64 bits."""
        return self._get(name, "double")  # type: ignore[no-any-return]

    def get_string(self, name: str) -> str | None:
        """The item as text."""
        return self._get(name, "string")  # type: ignore[no-any-return]

    def get_bytes(self, name: str) -> bytes | None:
        """The item as bytes."""
        return self._get(name, "bytes")  # type: ignore[no-any-return]

    def get_object(self, name: str) -> MapValue:
        """The item in the type it was set as; None if it is missing."""
        return self.body.get(name)  # type: ignore[no-any-return]

    def set_boolean(self, name: str, value: bool) -> None:
        """Set an item to a boolean."""
        self._set(name, value, "boolean")

    def set_byte(self, name: str, value: int) -> None:
        """Set an item to an integer of 8 bits."""
        self._set(name, value, "byte")

    def set_short(self, name: str, value: int) -> None:
        """Set an item to an integer of 16 bits."""
        self._set(name, value, "short")

    def set_char(self, name: str, value: str) -> None:
        """Set an item to one character."""
        self._set(name, value, "char")

    def set_int(self, name: str, value: int) -> None:
        """Set an item to an integer of 32 bits."""
        self._set(name, value, "int")

    def set_long(self, name: str, value: int) -> None:
        """Set an item to an integer of 64 bits."""
        self._set(name, value, "long")

    def set_float(self, name: str, value: float) -> None:
        """Set an item to a floating-point number of 32 bits."""
        self._set(name, value, "float")

    def set_double(self, name: str, value: float) -> None:
        """Set an item to a floating-point number of 64 bits."""
        self._set(name, value, "double")

    def set_string(self, name: str, value: str | None) -> None:
        """Set an item to text."""
        self._set(name, value, "string")

    def set_bytes(self, name: str, value: bytes | None) -> None:
        """Set an item to bytes."""
        self._set(name, value, "bytes")

    def set_object(self, name: str, value: MapValue) -> None:
        """Set an item to a value of the type it has."""
        self._set(name, value, None)

    def _get(self, name: str, wanted: str) -> Any:
        return convert(self.body.get(name), wanted, f"item {name!r}")

    def _set(self, name: str, value: object, kind: str | None) -> None:
        self._check_body_writable()
        what = f"item {check_map_name(name)!r}"
        self.body[name] = typed_object(value, what, body=True) if kind is None else typed(value, kind, what)

    def _put_body(self, body: object) -> None:
        if body is None:
            body = {}
        if not isinstance(body, Mapping):
            raise MessageFormatError(
                f"the body of a MapMessage must be a dict, but this is a {type(body).__name__}",
                type=type(body).__name__,
            )
        self._body = {
            check_map_name(name): typed_object(value, f"item {name!r}", body=True) for name, value in body.items()
        }
