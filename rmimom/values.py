"""Values that a message carries: properties, and the bodies of map, stream and object messages.

A value keeps its JMS type (Jakarta Messaging 3.1 §3.5.1, §3.11.3).  Python has one int and one float, so a plain `int`
is a long, a plain `float` a double, `str` a String and `bool` a boolean; `Byte`, `Short`, `Int`, `Float` and `Char` are
small types for the others.  They are ints, floats and strings in every other respect.

Properties, maps and streams travel as JSON text, which selectors, database views and people can read.  What JSON does
not know is written as an object with one member that names the type: `{"short": 3}`, `{"double": "nan"}`,
`{"bytes": "AAEC"}`.  Nothing else in these texts is an object, so the two cannot be mixed up.

Object bodies are plain Python data in the text form of serpent: literals, read without executing anything.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
import serpent

from rmimom.errors import MessageFormatError
from rmimom.readonly import ReadOnlyDict, ReadOnlyList

MIN_LONG: Final = -(2**63)
MAX_LONG: Final = 2**63 - 1


class _Integer(int):
    """An int of limited size; out of its range it cannot be made."""

    __slots__ = ()
    _bits = 64

    def __new__(cls, value: int | str = 0) -> _Integer:
        made = super().__new__(cls, value)
        limit = 1 << (cls._bits - 1)
        if not -limit <= made < limit:
            raise MessageFormatError(
                f"{int(made)} does not fit into a {cls.__name__}: {-limit} to {limit - 1}", type=cls.__name__
            )
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"


class Byte(_Integer):
    """An integer of 8 bits."""

    __slots__ = ()
    _bits = 8


class Short(_Integer):
    """An integer of 16 bits."""

    __slots__ = ()
    _bits = 16


class Int(_Integer):
    """An integer of 32 bits; a plain `int` is a long, 64 bits."""

    __slots__ = ()
    _bits = 32


class Float(float):
    """A floating-point number of 32 bits, rounded to what they can hold; a plain `float` is a double."""

    __slots__ = ()

    def __new__(cls, value: float | str = 0.0) -> Float:
        wide = float(value)
        try:
            narrow: float = struct.unpack("<f", struct.pack("<f", wide))[0]
        except OverflowError:
            raise MessageFormatError(f"{wide} is too large for a Float of 32 bits", type="Float") from None
        return super().__new__(cls, narrow)

    def __repr__(self) -> str:
        return f"Float({float(self)})"


class Char(str):
    """One character; allowed in map and stream bodies (§3.11.3)."""

    __slots__ = ()

    def __new__(cls, value: str) -> Char:
        if len(value) != 1:
            raise MessageFormatError(f"a Char is one character, but {value!r} has {len(value)}", type="Char")
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"Char({str(self)!r})"


PropertyValue: TypeAlias = bool | int | float | str | None
MapValue: TypeAlias = bool | int | float | str | bytes | None

_PROPERTY_TYPES: Final = "bool, int, float, str, None, Byte, Short, Int and Float"
_MAP_TYPES: Final = "bool, int, float, str, bytes, None, Byte, Short, Int, Float and Char"

_WORDS: Final = frozenset({"NULL", "TRUE", "FALSE", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE"})
# Names that begin with JMS and may be set all the same, each with its type (§3.5.9, §3.5.10; `rmimom.wishes`).
_OPEN_JMS_NAMES: Final[dict[str, type]] = {
    "JMSXGroupID": str,
    "JMSXGroupSeq": Int,
    "JMS_rmimom_max_redeliveries": int,
    "JMS_rmimom_redelivery_delay": int,
}

# Names that passed the check before: programs use a few names many times.  Bounded, so that a program that makes up
# names does not fill the memory.
_good_names: set[str] = set()
_MAX_GOOD_NAMES: Final = 10_000

_encode_json = msgspec.json.encode
_decode_json = msgspec.json.decode


def check_property_name(name: object) -> None:
    """Raise MessageFormatError unless `name` may name a property: an identifier of selectors (§3.5.1, §3.8.1.1)."""
    if not isinstance(name, str):
        raise MessageFormatError(f"a property name must be a str, but {name!r} is a {type(name).__name__}")
    if not name.replace("$", "_").isidentifier():
        raise MessageFormatError(
            f"{name!r} cannot name a property; a name is a letter, _ or $, then letters, digits, _ or $", property=name
        )
    if name.upper() in _WORDS:
        raise MessageFormatError(
            f"{name!r} cannot name a property; it is a word of the selector language", property=name
        )
    if name.startswith("JMS") and name not in _OPEN_JMS_NAMES:
        raise MessageFormatError(
            f"{name!r} cannot name a property; of the names that begin with JMS only "
            f"{', '.join(_OPEN_JMS_NAMES)} may be set",
            property=name,
        )
    if len(_good_names) < _MAX_GOOD_NAMES and name not in _OPEN_JMS_NAMES:
        _good_names.add(name)


def typed_value(name: str, value: PropertyValue) -> PropertyValue:
    """The value of a property as it is kept: JMSXGroupID is a string, JMSXGroupSeq an int of 32 bits (§3.5.9).

    Raises MessageFormatError if one of the names with a type of its own has another; most names have none.
    """
    wanted = _OPEN_JMS_NAMES.get(name)
    if wanted is None or value is None:
        return value
    if wanted is str:
        if isinstance(value, str):
            return value
    elif isinstance(value, int) and not isinstance(value, bool):
        return Int(value) if wanted is Int else value
    raise MessageFormatError(
        f"property {name!r} must be of the type {'str' if wanted is str else 'int'}, "
        f"but it is a {type(value).__name__} (§3.5.9)",
        property=name,
    )


def settable_properties(properties: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    """What of the properties of a received message may be sent on: not those that the provider had set (§3.5.10)."""
    return {name: value for name, value in properties.items() if not name.startswith("JMS") or name in _OPEN_JMS_NAMES}


def encode_properties(properties: Mapping[str, object]) -> bytes:
    """Properties as JSON text.  Raises MessageFormatError naming the property whose name or value is not allowed."""
    if not properties:
        return b"{}"
    plain = type(properties) is dict
    for name, value in properties.items():
        if name not in _good_names:
            check_property_name(name)
            plain = plain and name not in _OPEN_JMS_NAMES
        kind = type(value)
        if kind is str or kind is bool:
            continue
        if kind is int:
            if MIN_LONG <= value <= MAX_LONG:  # type: ignore[operator]
                continue
        elif kind is float and value - value == 0.0:  # type: ignore[operator]  # false for nan and the infinities
            continue
        plain = False
    try:
        if plain:
            return _encode_json(properties)
        return _encode_json({name: _tag_property(name, value) for name, value in properties.items()})
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"the properties hold text that is not Unicode: {error}") from None


def encode_user_id(user: str) -> bytes:
    """The properties of a message that has JMSXUserID and no other, as JSON text (§3.5.9)."""
    return _encode_json({"JMSXUserID": user})


def decode_properties(data: bytes) -> dict[str, PropertyValue]:
    """Read `encode_properties`' text (empty means none); raises MessageFormatError if it is malformed."""
    if data in {b"{}", b""}:
        return {}
    found = _read_json(data, "the properties")
    if not isinstance(found, dict):
        raise MessageFormatError("the properties are not a JSON object")
    if data.find(b"{", 1) >= 0:
        for name, value in found.items():
            if type(value) is dict:
                found[name] = _untag(value)
    return found


def check_map_name(name: object) -> str:
    """The name, if it may name an item of a map; else raise MessageFormatError."""
    if isinstance(name, str) and name:
        return name
    raise MessageFormatError(f"the names in a map body must be non-empty strings, but one is {name!r}")


def encode_map(body: Mapping[str, object]) -> bytes:
    """The body of a map message as JSON text; raises MessageFormatError naming the entry that is not allowed."""
    return _write_json({check_map_name(name): _tag(value, name) for name, value in body.items()})


def decode_map(data: bytes) -> dict[str, MapValue]:
    """Read `encode_map`'s text; raises MessageFormatError if it is malformed."""
    found = _read_json(data, "the map")
    if not isinstance(found, dict):
        raise MessageFormatError("the body of the map message is not a JSON object")
    return {name: _untag(value) if type(value) is dict else value for name, value in found.items()}


def encode_stream(body: Sequence[object]) -> bytes:
    """The body of a stream message as JSON text; raises MessageFormatError naming the place that is not allowed."""
    return _write_json([_tag(value, index) for index, value in enumerate(body)])


def decode_stream(data: bytes) -> list[MapValue]:
    """Read `encode_stream`'s text; raises MessageFormatError if it is malformed."""
    found = _read_json(data, "the stream")
    if not isinstance(found, list):
        raise MessageFormatError("the body of the stream message is not a JSON array")
    return [_untag(value) if type(value) is dict else value for value in found]


def is_map_value(value: object) -> bool:
    """Whether the value may stand in a map or stream body."""
    kind = type(value)
    if kind is int:
        return MIN_LONG <= value <= MAX_LONG  # type: ignore[operator]
    return kind in _MAP_KINDS


def check_plain_data(body: object) -> None:
    """Raise MessageFormatError, naming the first value that is something else, unless `body` is plain data."""
    try:
        _check_plain_data(body, "the body")
    except RecursionError:
        raise MessageFormatError("the body is nested too deeply, or holds itself") from None


def encode_object(body: object) -> bytes:
    """Plain data (None, bool, int, float, str, bytes, list, tuple, dict, nested at will) as serpent text.

    Raises MessageFormatError naming the first value that is something else.
    """
    try:
        _check_plain_data(body, "the body")
        return bytes(serpent.dumps(body, bytes_repr=True))
    except RecursionError:
        raise MessageFormatError("the body is nested too deeply, or holds itself") from None
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"the body holds text that is not Unicode: {error}") from None


def decode_object(data: bytes) -> object:
    """Read `encode_object`'s text; raises MessageFormatError if it is malformed."""
    try:
        found: object = serpent.loads(data)
        return _with_nan(found) if b"__class__" in data else found
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise MessageFormatError(f"the body of the object message cannot be read: {error}") from None


_INTEGERS: Final[dict[type, str]] = {Byte: "byte", Short: "short", Int: "int"}
_MAP_KINDS: Final = frozenset({bool, float, str, bytes, bytearray, type(None), Byte, Short, Int, Float, Char})


def _tag_property(name: str, value: Any) -> object:
    value = typed_value(name, value)
    kind = type(value)
    if kind is Char or kind is bytes or kind is bytearray:
        raise _unsupported(f"property {name!r}", value, _PROPERTY_TYPES)
    return _tagged(value, lambda: f"property {name!r}", _PROPERTY_TYPES)


def _tag(value: object, place: str | int) -> object:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    return _tagged(value, lambda: f"entry {place!r} of the body", _MAP_TYPES)


def _tagged(value: object, place: Callable[[], str], allowed: str) -> object:
    """The value as JSON can hold it."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        assert isinstance(value, int)
        if MIN_LONG <= value <= MAX_LONG:
            return value
        raise MessageFormatError(
            f"{place()} is {value}, which does not fit into a long: {MIN_LONG} to {MAX_LONG}", type="int"
        )
    if kind is float:
        assert isinstance(value, float)
        return value if value - value == 0.0 else {"double": str(value)}
    if kind is Float:
        assert isinstance(value, float)
        return {"float": float(value) if value - value == 0.0 else str(float(value))}
    name = _INTEGERS.get(kind)
    if name is not None:
        assert isinstance(value, int)
        return {name: int(value)}
    if kind is Char:
        return {"char": str(value)}
    if isinstance(value, bytes | bytearray):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    raise _unsupported(place(), value, allowed)


def _unsupported(place: str, value: object, allowed: str) -> MessageFormatError:
    kind = type(value).__name__
    return MessageFormatError(f"{place} has the type {kind}; allowed are {allowed}", type=kind)


def _bytes_of(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_UNTAG: Final[dict[str, Callable[..., MapValue]]] = {
    "byte": Byte,
    "short": Short,
    "int": Int,
    "float": Float,
    "double": float,
    "char": Char,
    "bytes": _bytes_of,
}


def _untag(tagged: dict[str, object]) -> MapValue:
    if len(tagged) == 1:
        [(name, value)] = tagged.items()
        make = _UNTAG.get(name)
        if make is not None:
            try:
                return make(value)
            except (ValueError, TypeError, binascii.Error):
                pass
    raise MessageFormatError(f"{tagged!r} is not a value of a message")


def _write_json(data: object) -> bytes:
    try:
        return _encode_json(data)
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"the body holds text that is not Unicode: {error}") from None


def _read_json(data: bytes, what: str) -> object:
    try:
        found: object = _decode_json(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageFormatError(f"{what} cannot be read: {error}") from None
    return found


_ATOMS: Final = frozenset({bool, int, float, str, bytes, type(None)})


def _check_plain_data(value: object, place: str) -> None:
    kind = type(value)
    if kind in _ATOMS:
        return
    if kind is dict or kind is ReadOnlyDict:
        assert isinstance(value, dict)
        for key, inner in value.items():
            if type(key) not in _ATOMS:
                raise MessageFormatError(
                    f"{place} has a key of the type {type(key).__name__}; "
                    "keys may be str, bytes, int, float, bool or None",
                    type=type(key).__name__,
                )
            if type(inner) not in _ATOMS:
                _check_plain_data(inner, f"{place}[{key!r}]")
    elif kind is list or kind is tuple or kind is ReadOnlyList:
        assert isinstance(value, list | tuple)
        for index, inner in enumerate(value):
            if type(inner) not in _ATOMS:
                _check_plain_data(inner, f"{place}[{index}]")
    else:
        raise MessageFormatError(
            f"{place} has the type {kind.__name__}; "
            "a body may hold None, bool, int, float, str, bytes, list, tuple and dict",
            type=kind.__name__,
        )


def _with_nan(value: object) -> object:
    """Serpent writes not-a-number, for which Python has no literal, as a small dict."""
    if isinstance(value, dict):
        if value == {"__class__": "float", "value": "nan"}:
            return float("nan")
        return {key: _with_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_nan(inner) for inner in value]
    if isinstance(value, tuple):
        return tuple(_with_nan(inner) for inner in value)
    return value
