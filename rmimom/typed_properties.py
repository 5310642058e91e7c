"""Properties with JMS types: a setter and a getter for each (Jakarta Messaging 3.1 §3.5).

`Message.properties` has the same as a dict.  What a dict is checked for when it is sent, the setters check at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rmimom.conversion import convert, typed, typed_object
from rmimom.values import Int, PropertyValue, check_property_name, typed_value

DELIVERY_COUNT: Final = "JMSXDeliveryCount"
_MAX_INT: Final = 2**31 - 1


class TypedProperties:
    """The part of `Message` that reads and writes properties by type.

    The setters raise MessageFormatError for a name or a value that is not allowed, and MessageNotWriteableError when
    the message was received and `clear_properties` was not called.  The getters raise MessageFormatError when the
    property was set as a type that cannot be read so (§3.5.4), and ValueError when its text is no such number.  A
    property that is missing is None as a string or an object and False as a boolean; reading it as a number raises
    ValueError.

    A received message has the property JMSXDeliveryCount (§3.5.11) until its properties are cleared.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        delivery_count: int

        @property
        def properties(self) -> Mapping[str, PropertyValue]: ...

        @property
        def _is_counted(self) -> bool: ...

        def _changeable_properties(self) -> dict[str, PropertyValue]: ...

    def property_exists(self, name: str) -> bool:
        """Whether the message has this property (§3.5.6)."""
        return name in self.properties or (name == DELIVERY_COUNT and self._is_counted)

    @property
    def property_names(self) -> list[str]:
        """The names of the properties; those of headers are not among them (§3.5.6)."""
        return [*self.properties, *((DELIVERY_COUNT,) if self._is_counted else ())]

    def get_boolean_property(self, name: str) -> bool:
        """The property as a bool; False if it is missing."""
        return self._get_property(name, "boolean")  # type: ignore[no-any-return]

    def get_byte_property(self, name: str) -> int:
        """The property as an integer of 8 bits."""
        return self._get_property(name, "byte")  # type: ignore[no-any-return]

    def get_short_property(self, name: str) -> int:
        """The property as an integer of 16 bits."""
        return self._get_property(name, "short")  # type: ignore[no-any-return]

    def get_int_property(self, name: str) -> int:
        """The property as an integer of 32 bits."""
        return self._get_property(name, "int")  # type: ignore[no-any-return]

    def get_long_property(self, name: str) -> int:
        """The property as an integer of 64 bits."""
        return self._get_property(name, "long")  # type: ignore[no-any-return]

    def get_float_property(self, name: str) -> float:
        """The property as a floating-point number of 32 bits."""
        return self._get_property(name, "float")  # type: ignore[no-any-return]

    def get_double_property(self, name: str) -> float:
        """The property as a floating-point number of 64 bits."""
        return self._get_property(name, "double")  # type: ignore[no-any-return]

    def get_string_property(self, name: str) -> str | None:
        """The property as text; None if it is missing."""
        return self._get_property(name, "string")  # type: ignore[no-any-return]

    def get_object_property(self, name: str) -> PropertyValue:
        """The property in the type it was set as, see `rmimom.values`; None if it is missing (§3.5.5)."""
        value = self.properties.get(name)
        if value is None and name == DELIVERY_COUNT and self._is_counted:
            return Int(min(self.delivery_count, _MAX_INT))
        return value

    def set_boolean_property(self, name: str, value: bool) -> None:
        """Set the property to a boolean."""
        self._set_property(name, value, "boolean")

    def set_byte_property(self, name: str, value: int) -> None:
        """Set the property to an integer of 8 bits."""
        self._set_property(name, value, "byte")

    def set_short_property(self, name: str, value: int) -> None:
        """Set the property to an integer of 16 bits."""
        self._set_property(name, value, "short")

    def set_int_property(self, name: str, value: int) -> None:
        """Set the property to an integer of 32 bits."""
        self._set_property(name, value, "int")

    def set_long_property(self, name: str, value: int) -> None:
        """Set the property to an integer of 64 bits."""
        self._set_property(name, value, "long")

    def set_float_property(self, name: str, value: float) -> None:
        """Set the property to a floating-point number of 32 bits, rounded to what they can hold."""
        self._set_property(name, value, "float")

    def set_double_property(self, name: str, value: float) -> None:
        """Set the property to a floating-point number of 64 bits."""
        self._set_property(name, value, "double")

    def set_string_property(self, name: str, value: str | None) -> None:
        """Set the property to text."""
        self._set_property(name, value, "string")

    def set_object_property(self, name: str, value: PropertyValue) -> None:
        """Set the property to a value of the type it has, see `rmimom.values` (§3.5.5)."""
        self._set_property(name, value, None)

    def _get_property(self, name: str, wanted: str) -> Any:
        return convert(self.get_object_property(name), wanted, f"property {name!r}")

    def _set_property(self, name: str, value: object, kind: str | None) -> None:
        properties = self._changeable_properties()
        check_property_name(name)
        what = f"property {name!r}"
        made = typed_object(value, what, body=False) if kind is None else typed(value, kind, what)
        properties[name] = typed_value(name, made)
