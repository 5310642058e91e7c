"""What of an object may be called from outside: Pyro5's own rules, asked in one place.

Only what carries Pyro5's `@expose` can be reached, never a name with a leading underscore.  Pyro5 offers no public
function for this, so the private ones are used here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from Pyro5 import server

_T = TypeVar("_T", bound=Callable[..., Any] | property | type)


def expose(thing: _T) -> _T:
    """Pyro5's `@expose`, with types: the method, property or class may be used from outside."""
    server.expose(thing)
    return thing


def oneway(method: _T) -> _T:
    """Pyro5's `@oneway`, with types: proxies do not wait for an answer of the method."""
    server.oneway(method)
    return method


class Exposure:
    """The exposed members of a class.  `metadata` is what a proxy is told when it connects."""

    __slots__ = ("attributes", "metadata", "methods")

    def __init__(self, kind: type) -> None:
        self.metadata: dict[str, set[str]] = server._get_exposed_members(kind)
        self.methods = frozenset(self.metadata["methods"])
        self.attributes = frozenset(self.metadata["attrs"])


_known: Final[dict[type, Exposure]] = {}


def exposure_of(thing: object) -> Exposure:
    """The exposure of the class of `thing`; raises TypeError if the class exposes nothing."""
    kind = type(thing)
    found = _known.get(kind)
    if found is None:
        found = Exposure(kind)
        if not found.methods and not found.attributes:
            raise TypeError(f"{kind.__module__}.{kind.__qualname__} exposes nothing: mark its methods with @expose")
        _known[kind] = found
    return found


def get_attribute(thing: object, name: str) -> object:
    """The value of an exposed property; raises AttributeError if there is none of that name."""
    if name not in exposure_of(thing).attributes:
        raise AttributeError(f"attempt to access unexposed or unknown remote attribute '{name}'")
    return server._get_exposed_property_value(thing, name)


def set_attribute(thing: object, name: str, value: object) -> None:
    """Set an exposed property; raises AttributeError if there is none of that name or it cannot be set."""
    if name not in exposure_of(thing).attributes:
        raise AttributeError(f"attempt to access unexposed or unknown remote attribute '{name}'")
    server._set_exposed_property_value(thing, name, value)
