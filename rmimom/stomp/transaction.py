"""One open transaction of a STOMP client: what its COMMIT will do (STOMP 1.2, BEGIN)."""

from __future__ import annotations

from rmimom.destination import Destination
from rmimom.stomp.subscription import Held, Subscription


class Transaction:
    """Frames by destination in the order of their sending, and what was acknowledged or refused in it."""

    __slots__ = ("acks", "nacks", "sends", "size")

    def __init__(self) -> None:
        self.sends: dict[Destination, list[bytes]] = {}
        self.acks: list[tuple[Subscription, list[Held]]] = []
        self.nacks: list[tuple[Subscription, list[Held], bool]] = []
        self.size = 0

    def add(self, destination: Destination, frame: bytes) -> None:
        """Keep a message."""
        self.sends.setdefault(destination, []).append(frame)
        self.size += len(frame)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.sends or self.acks or self.nacks)

    def acknowledged(self) -> list[tuple[int, int, list[int]]]:
        """The acknowledgements as `Commit` wants them."""
        tags: dict[int, list[int]] = {}
        for _, held in self.acks:
            for one in held:
                tags.setdefault(one.consumer, []).append(one.tag)
        return [(consumer, 0, found) for consumer, found in tags.items()]

    def refused(self) -> list[tuple[list[Held], bool]]:
        """What was refused, in order, and whether it is to be delivered again; neighbours of one fate together."""
        lots: list[tuple[list[Held], bool]] = []
        for _, held, requeue in self.nacks:
            if lots and lots[-1][1] == requeue:
                lots[-1][0].extend(held)
            else:
                lots.append(([*held], requeue))
        return lots

    def give_back(self) -> None:
        """What was acknowledged in it is held again: the client may acknowledge it once more."""
        for subscription, held in self.acks:
            subscription.put_back(held)
        for subscription, held, _ in self.nacks:
            subscription.put_back(held)
