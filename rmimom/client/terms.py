"""The terms of a producer or consumer: the destination that it is asked for, and the options of a consumer.

A session checks here what needs no server, so that a mistake is told where it is made; the rest the server judges.
"""

from __future__ import annotations

from typing import TypeVar

from rmimom.composite import CompositeDestination
from rmimom.destination import Destination, check_source
from rmimom.errors import InvalidDestinationError

_D = TypeVar("_D", bound=Destination)


def checked_target(destination: object, kind: type[_D]) -> _D:
    """What is to be sent to, if it is of this kind; raises InvalidDestinationError."""
    found = _of_kind(destination, kind)
    found.checked()
    return found


def checked_source(destination: object, kind: type[_D]) -> _D:
    """What is to be received from, a pattern too, if it is of this kind; raises InvalidDestinationError."""
    found = _of_kind(destination, kind)
    check_source(found)
    return found


def _of_kind(destination: object, kind: type[_D]) -> _D:
    if isinstance(destination, kind):
        return destination
    if isinstance(destination, CompositeDestination):
        raise InvalidDestinationError(
            f"{destination} names several destinations, which can only be sent to by a producer made with "
            "create_producer(); open a consumer for each of them",
            destination=str(destination),
        )
    raise InvalidDestinationError(
        f"{destination!r} is not a {kind.__name__}; make one with session.{kind.__name__.lower()}(name)"
    )


def receiver_options(
    *, selector: str | None, prefetch: int | None, priority: int, exclusive: bool
) -> dict[str, object]:
    """What the server is told of a receiver: what differs from the default."""
    options = _options(selector, prefetch)
    if priority:
        options["priority"] = priority
    if exclusive:
        options["exclusive"] = True
    return options


def subscriber_options(
    *,
    durable: str | None,
    shared: bool | str,
    selector: str | None,
    no_local: bool,
    prefetch: int | None,
    retroactive: bool,
) -> dict[str, object]:
    """What the server is told of a subscriber: what differs from the default.

    Raises InvalidDestinationError if its subscription has an empty name, two names, or none and is shared.
    """
    options = _options(selector, prefetch)
    if durable is not None:
        if not durable:
            raise InvalidDestinationError("the name of a durable subscription cannot be empty")
        options["durable"] = durable
    options |= _sharing(durable, shared)
    if no_local:
        options["no_local"] = True
    if retroactive:
        options["retroactive"] = True
    return options


def _options(selector: str | None, prefetch: int | None) -> dict[str, object]:
    options: dict[str, object] = {}
    if selector:
        options["selector"] = selector
    if prefetch is not None:
        options["prefetch"] = prefetch
    return options


def _sharing(durable: str | None, shared: bool | str) -> dict[str, object]:
    if shared is False:
        return {}
    if shared is True:
        if durable is None:
            raise InvalidDestinationError('a shared subscription needs a name; write shared="name"')
        return {"shared": True}
    if not shared:
        raise InvalidDestinationError("the name of a shared subscription cannot be empty")
    if durable is not None and shared != durable:
        raise InvalidDestinationError(
            f"the subscription has two names, {durable!r} and {shared!r}; write durable={durable!r}, shared=True"
        )
    return {"shared": True} if durable is not None else {"shared": True, "name": shared}
