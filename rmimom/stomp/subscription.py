"""One subscription of a STOMP client, and what it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rmimom.destination import Destination, Queue, is_pattern
from rmimom.frame import Delivered
from rmimom.stomp.codec import V1_2, escape

AUTO: Final = "auto"
CLIENT: Final = "client"
INDIVIDUAL: Final = "client-individual"
ACK_MODES: Final = (AUTO, CLIENT, INDIVIDUAL)
_REMEMBERED: Final = 1000
"""Destinations whose lines are kept for one subscription; one to a pattern may have any number."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A message that was delivered and not acknowledged; `place` counts the deliveries of the subscription.

    `key` is the `ack` header of its MESSAGE (in versions before 1.2 it has none): the consumer, a dash, and the tag.
    """

    key: str
    tag: int
    consumer: int
    place: int
    message_id: str


class Subscription:
    """A subscription, known by its `id`, or by its destination where a 1.0 client gave none.

    `consumers` are its consumers in the core, one for each destination it names.  `held` has what its client must
    acknowledge, by key, in the order of delivery.  Until the core has accepted it, messages wait in
    `early`: its RECEIPT comes first.
    """

    __slots__ = (
        "_delivered",
        "_held_by_id",
        "_lines",
        "ack",
        "consumers",
        "destinations",
        "durable",
        "early",
        "held",
        "id",
        "key",
        "line",
        "open",
        "transformation",
        "unanswered",
    )

    def __init__(
        self,
        key: str,
        id: str | None,
        destinations: list[Destination],
        ack: str,
        version: str,
    ) -> None:
        self.key = key
        self.id = id
        self.destinations = destinations
        self.ack = ack
        self.durable = ""
        self.transformation = ""
        self.line = f"subscription:{escape(id, version)}\n" if id is not None else ""
        self.consumers: dict[int, Destination] = {}
        self.unanswered = 0  # of its consumers
        self.open = False
        self.early: list[tuple[Delivered, int, int]] = []
        self.held: dict[str, Held] = {}
        self._held_by_id: dict[str, str] | None = None if version == V1_2 else {}
        self._lines: dict[tuple[int, str], str] = {}
        self._delivered = 0

    def lines(self, consumer: int, origin: str, write: Callable[[str], str]) -> str:
        """The lines of a MESSAGE that tell where it comes from and for whom it is; `write` makes the first.

        It comes from the queue, which for a dead letter is not the one it was sent to, or from the topic.  With a
        pattern that is what is told as `origin`.
        """
        found = self._lines.get((consumer, origin))
        if found is None:
            source = self.consumers[consumer]
            found = write(str(source) if isinstance(source, Queue) and not is_pattern(source) else origin) + self.line
            if len(self._lines) >= _REMEMBERED:
                self._lines.clear()
            self._lines[consumer, origin] = found
        return found

    def hold(self, key: str, tag: int, consumer: int, message_id: str) -> None:
        """The client was given a message that it has to acknowledge."""
        self._delivered += 1
        self.held[key] = Held(key, tag, consumer, self._delivered, message_id)
        if self._held_by_id is not None:
            self._held_by_id[message_id] = key

    def find(self, message_id: str) -> str | None:
        """The key of what is held under this message id, for versions whose ACK names that."""
        found = self._held_by_id.get(message_id) if self._held_by_id is not None else None
        return found if found in self.held else None

    def take(self, key: str, *, up_to: bool) -> list[Held]:
        """Give up what is held under this key, with all that was delivered before if `up_to`."""
        if not up_to:
            taken = [self.held.pop(key)]
        else:
            taken = []
            for held in self.held.values():
                taken.append(held)
                if held.key == key:
                    break
            for held in taken:
                del self.held[held.key]
        if self._held_by_id is not None:
            for held in taken:
                self._held_by_id.pop(held.message_id, None)
        return taken

    def put_back(self, taken: list[Held]) -> None:
        """Hold again what was given up, each at its place."""
        both = sorted([*self.held.values(), *taken], key=lambda held: held.place)
        self.held = {held.key: held for held in both}
        if self._held_by_id is not None:
            self._held_by_id.update({held.message_id: held.key for held in taken})
