"""Several destinations of one send, as ActiveMQ spells them: `queue://A,B,topic://C`.

A part without a prefix is of the kind of the part before it.  Each part gets a copy of its own, whose destination it
is; all copies are stored together or none.
"""

from __future__ import annotations

from typing import ClassVar, Final

from rmimom.destination import Destination, parse_destination
from rmimom.errors import InvalidDestinationError

SEPARATOR: Final = ","
MAX_PARTS: Final = 100
"""Destinations of one send: each stores a copy, and all of them are decided in one turn of the server."""


class CompositeDestination(Destination, frozen=True):
    """Several queues and topics that one send goes to; made by `Session.composite`.

    `parts` are the destinations, each once, in their order.  Nothing can be consumed from a composite destination.
    """

    parts: tuple[Destination, ...] = ()

    kind: ClassVar[str] = "composite"

    def __str__(self) -> str:
        return self.name

    def checked(self) -> Destination:
        """Return self: its parts were checked when it was made."""
        return self


def parse_target(text: str) -> Destination:
    """Read what can be sent to: one destination, or several with commas between them.

    Raises InvalidDestinationError naming the part that is wrong.
    """
    if SEPARATOR not in text:
        return parse_destination(text)
    parts: dict[Destination, None] = {}
    words = text.split(SEPARATOR)
    if len(words) > MAX_PARTS:
        raise InvalidDestinationError(
            f"{len(words)} destinations of one send are too many; name at most {MAX_PARTS}", limit=MAX_PARTS
        )
    prefix = ""
    for word in map(str.strip, words):
        kind, separator, name = word.rpartition("://")
        if separator:
            prefix = kind + separator
        parts[parse_destination(prefix + name)] = None
    return CompositeDestination(text, tuple(parts))
