"""Messages of other makers: any object with the attributes of a message can be sent (Jakarta Messaging 3.1 §3.12)."""

from __future__ import annotations

from typing import Any, Final, TypeGuard

from rmimom.destination import Destination
from rmimom.errors import MessageFormatError
from rmimom.message import Message

# Bodies, which are asked for nothing.
_PLAIN: Final = frozenset({dict, list, tuple, bytes, bytearray, memoryview, bool, int, float, type(None)})


def is_foreign(thing: object) -> TypeGuard[Any]:
    """Whether this is a message, but none of ours: an object with a `body` and `properties`."""
    return type(thing) not in _PLAIN and hasattr(thing, "body") and hasattr(thing, "properties")


def adopted(foreign: Any) -> Message:
    """A message of ours with the body, properties and headers that a sender sets in the foreign one (§3.12).

    Besides `body` and `properties` it may have `kind`, `correlation_id`, `reply_to` and `type`; a reply-to that is no
    destination of ours is left out.  Raises MessageFormatError naming the attribute that cannot be sent.
    """
    properties = foreign.properties
    try:
        properties = dict(properties or {})
    except (TypeError, ValueError):
        raise MessageFormatError(
            f"the properties of the {type(foreign).__name__} must be a dict, not a {type(properties).__name__}"
        ) from None
    reply_to = getattr(foreign, "reply_to", None)
    return Message(
        foreign.body,
        kind=getattr(foreign, "kind", None),
        properties=properties,
        correlation_id=getattr(foreign, "correlation_id", None),
        reply_to=reply_to if isinstance(reply_to, str | Destination) else None,
        type=getattr(foreign, "type", None),
    )
