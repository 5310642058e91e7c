"""A message selector, ready to be asked about messages (Jakarta Messaging 3.1 §3.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn
from weakref import WeakValueDictionary

from rmimom.selector import tree
from rmimom.selector.compiler import compile_tree
from rmimom.selector.conversion import PREFIX, converting, reads_strings
from rmimom.selector.parser import HEADERS, check_length, parse

_BLANKS: Final = " \t\f\n\r"
_MAX_REMEMBERED: Final = 256
_MAX_REMEMBERED_LENGTH: Final = 1_024


class Selector:
    """A condition on the headers and properties of messages.

    It never changes, and there is one for each canonical text: selectors that differ only in spaces, the case of
    keywords, brackets that change nothing or the spelling of numbers are the same object, equal and of one hash, so
    that subscribers can be grouped by their selectors.

    `matches(values)` tells whether the selector is true for a message; `values` maps the names of properties and of the
    six headers in `HEADERS` to their values, and what is missing or None is NULL.  It neither changes anything nor
    raises for values of the types that a message can carry.
    `text` is the canonical text.  It can be read again, and costs next to nothing while the selector is in use.
    A text that begins with `convert_string_expressions:` reads numbers out of strings, see `conversion`.
    `identifiers` are the names it asks for; `headers_only` says that none of them is a property.
    """

    __slots__ = ("__weakref__", "headers_only", "identifiers", "matches", "text")

    if TYPE_CHECKING:
        headers_only: bool
        identifiers: frozenset[str]
        matches: Callable[[Mapping[str, Any]], bool]
        text: str

    _all: ClassVar[WeakValueDictionary[str, Selector]] = WeakValueDictionary()
    _lock: ClassVar[Lock] = Lock()

    def __new__(cls, text: str) -> Selector:
        """Read a selector; raises InvalidSelectorError naming the column and what was expected there."""
        found = cls._all.get(text)
        if found is not None:
            return found
        root = parse(text.removeprefix(PREFIX))
        # Where there is nothing to convert it is the same selector: a durable subscription may be used by STOMP, which
        # always asks for conversion, and RMI in turn, and another selector would replace it.
        prefix = PREFIX if text.startswith(PREFIX) and reads_strings(root) else ""
        canonical = prefix + str(root)
        # It may be longer than the text, by spaces for example; it has to stay readable.
        check_length(canonical)
        with cls._lock:
            found = cls._all.get(canonical)
            if found is None:
                found = super().__new__(cls)
                names = frozenset(tree.identifiers(root))
                for name, value in (
                    ("headers_only", names <= HEADERS),
                    ("identifiers", names),
                    ("matches", converting(root, compile_tree(root)) if prefix else compile_tree(root)),
                    ("text", canonical),
                ):
                    object.__setattr__(found, name, value)
                cls._all[canonical] = found
            return found

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a selector does not change, so {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a selector does not change, so {name!r} cannot be deleted")

    def __copy__(self) -> Selector:
        return self

    def __deepcopy__(self, memo: object) -> Selector:
        return self

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"


def parse_selector(text: str | None) -> Selector | None:
    """The selector that a consumer was given; None, which takes every message, if it is None or blank (§3.8.1.1).

    Raises InvalidSelectorError naming the column and what was expected there.  Short texts seen before are not read
    again.
    """
    if text is None or not text.strip(_BLANKS):
        return None
    return _remembered(text) if len(text) <= _MAX_REMEMBERED_LENGTH else Selector(text)


_remembered = lru_cache(maxsize=_MAX_REMEMBERED)(Selector)
