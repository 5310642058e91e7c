"""Dicts and lists that cannot be changed, which a received message holds (Jakarta Messaging 3.1 §3.5.3, §3.11.2).

They equal plain ones and travel as plain ones.  Copies of them, by `copy()` or the module `copy`, are plain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from rmimom.errors import MessageFormatError, MessageNotWriteableError

_ADVICE = "it belongs to a message that is read-only; change a copy, or call clear_properties() or clear_body() first"


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *args: object, **named: object) -> NoReturn:
        raise MessageNotWriteableError(f"{name} would change it, but {_ADVICE} (§3.5.3, §3.11.2)")

    return refuse


class ReadOnlyDict(dict[str, Any]):
    """A dict whose changes raise MessageNotWriteableError."""

    __slots__ = ()

    __setitem__ = _refused("assigning an item")
    __delitem__ = _refused("deleting an item")
    __ior__ = _refused("|=")
    clear = _refused("clear()")
    pop = _refused("pop()")
    popitem = _refused("popitem()")
    setdefault = _refused("setdefault()")
    update = _refused("update()")

    def __reduce_ex__(self, protocol: object) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class ReadOnlyList(list[Any]):
    """A list whose changes raise MessageNotWriteableError."""

    __slots__ = ()

    __setitem__ = _refused("assigning an item")
    __delitem__ = _refused("deleting an item")
    __iadd__ = _refused("+=")
    __imul__ = _refused("*=")
    append = _refused("append()")
    clear = _refused("clear()")
    extend = _refused("extend()")
    insert = _refused("insert()")
    pop = _refused("pop()")
    remove = _refused("remove()")
    reverse = _refused("reverse()")
    sort = _refused("sort()")

    def __reduce_ex__(self, protocol: object) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)


def frozen(data: object) -> Any:
    """A copy of plain data that cannot be changed; what is no dict, list or tuple is returned as it is.

    Raises MessageFormatError for data that holds itself.
    """
    return _rebuilt(data, ReadOnlyDict, ReadOnlyList)


def copied(data: object) -> Any:
    """A copy of plain data, made of dicts and lists that can be changed; see `frozen`."""
    return _rebuilt(data, dict, list)


def _rebuilt(data: object, mapping: type[dict[Any, Any]], sequence: type[list[Any]]) -> Any:
    if type(data) not in _BUILDABLE:
        return data
    try:
        return _rebuilt_within(data, mapping, sequence)
    except RecursionError:
        raise MessageFormatError("the body is nested too deeply, or holds itself") from None


def _rebuilt_within(data: Any, mapping: type[dict[Any, Any]], sequence: type[list[Any]]) -> Any:
    kind = type(data)
    if kind is dict or kind is ReadOnlyDict:
        return mapping(
            {
                name: _rebuilt_within(value, mapping, sequence) if type(value) in _BUILDABLE else value
                for name, value in data.items()
            }
        )
    if kind is bytearray:
        return bytes(data)
    inner = [_rebuilt_within(value, mapping, sequence) if type(value) in _BUILDABLE else value for value in data]
    return tuple(inner) if kind is tuple else sequence(inner)


_BUILDABLE = frozenset({dict, ReadOnlyDict, list, ReadOnlyList, tuple, bytearray})
