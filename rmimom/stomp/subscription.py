"""One subscription of a STOMP client, and what it holds."""

from __future__ import annotations

from typing import Final, NamedTuple

from rmimom.destination import Destination, Queue
from rmimom.frame import Delivered
from rmimom.stomp.codec import V1_2, escape

AUTO: Final = "auto"
CLIENT: Final = "client"
INDIVIDUAL: Final = "client-individual"
ACK_MODES: Final = (AUTO, CLIENT, INDIVIDUAL)


class Held(NamedTuple):
    """A message that was delivered and not acknowledged; `place` counts the deliveries of the subscription."""

    tag: int
    consumer: int
    place: int
    message_id: str


class Subscription:
    """A subscription, known by its `id`, or by its destination where a 1.0 client gave none.

    `consumers` are its consumers in the core, one for each destination it names.  `held` has what its client must
    acknowledge, by consumer and tag, in the order of delivery.  Until the core has accepted it, messages wait in
    `early`: its RECEIPT comes first.
    """

    __slots__ = (
        "_delivered",
        "_held_by_id",
        "ack",
        "consumers",
        "destinations",
        "durable",
        "early",
        "header",
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
        header: str,
        destinations: list[Destination],
        ack: str,
        version: str,
    ) -> None:
        self.key = key
        self.id = id
        self.header = header
        self.destinations = destinations
        self.ack = ack
        self.durable = ""
        self.transformation = ""
        self.line = f"subscription:{escape(id, version)}\n" if id is not None else ""
        self.consumers: dict[int, Destination] = {}
        self.unanswered = 0  # of its consumers
        self.open = False
        self.early: list[tuple[Delivered, int, int]] = []
        self.held: dict[tuple[int, int], Held] = {}
        self._held_by_id: dict[str, tuple[int, int]] | None = None if version == V1_2 else {}
        self._delivered = 0

    def origin(self, consumer: int, sent_to: str) -> str:
        """Where a message came from: the queue, which for a dead letter is not the one it was sent to, or the topic."""
        taken_from = self.consumers[consumer]
        return str(taken_from) if isinstance(taken_from, Queue) else sent_to

    def hold(self, tag: int, consumer: int, message_id: str) -> None:
        """The client was given a message that it has to acknowledge."""
        self._delivered += 1
        self.held[consumer, tag] = Held(tag, consumer, self._delivered, message_id)
        if self._held_by_id is not None:
            self._held_by_id[message_id] = (consumer, tag)

    def find(self, message_id: str) -> tuple[int, int] | None:
        """What is held under this message id, for versions whose ACK names that."""
        found = self._held_by_id.get(message_id) if self._held_by_id is not None else None
        return found if found in self.held else None

    def take(self, key: tuple[int, int], *, up_to: bool) -> list[Held]:
        """Give up what is held under this key, with all that was delivered before if `up_to`."""
        if not up_to:
            taken = [self.held.pop(key)]
        else:
            taken = []
            for held in self.held.values():
                taken.append(held)
                if (held.consumer, held.tag) == key:
                    break
            for held in taken:
                del self.held[held.consumer, held.tag]
        if self._held_by_id is not None:
            for held in taken:
                self._held_by_id.pop(held.message_id, None)
        return taken

    def put_back(self, taken: list[Held]) -> None:
        """Hold again what was given up, each at its place."""
        both = sorted([*self.held.values(), *taken], key=lambda held: held.place)
        self.held = {(held.consumer, held.tag): held for held in both}
        if self._held_by_id is not None:
            self._held_by_id.update({held.message_id: (held.consumer, held.tag) for held in taken})
