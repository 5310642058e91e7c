"""What an actor needs of a client of the product, whichever protocol that speaks: one connection, one conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

Options = dict[str, Any]
"""How a message is sent, in the words of `rmimom.Producer.send`."""
Wait = Callable[[], object]
"""Waits until an operation is confirmed; raises UnknownError or RefusedError if it is not."""


class UnknownError(Exception):
    """The server was lost before it answered: nobody knows whether it was done."""


class RefusedError(Exception):
    """It was not done."""


class Source(msgspec.Struct, frozen=True):
    """A queue, or a topic by the durable subscription of this name; `prefetch` messages may be on their way."""

    destination: str
    prefetch: int
    durable: str = ""
    selector: str = ""


class Delivery(Protocol):
    """A message that came; `consumer` is who got it, `facts` are what the history is told beside that."""

    value: str
    consumer: str
    facts: dict[str, Any]

    def acknowledge(self) -> None:
        """Be done with it; raises UnknownError or RefusedError."""
        ...

    def fail(self, reason: str) -> None:
        """Say that the work on it failed; raises UnknownError or RefusedError."""
        ...


class Client(Protocol):
    """Finds the active server, and the next one when that is lost."""

    def open(self, source: Source | None) -> None:
        """Connect, and consume if there is a source: then a durable subscription exists.  Waits for a server."""
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...

    def ready(self) -> None:
        """Wait until there is a server, if the protocol has the application do that."""
        ...

    @property
    def producer(self) -> str:
        """Who sends what is sent now: order is kept, and a message stored once, for each producer."""
        ...

    @property
    def reign(self) -> tuple[str, int]:
        """The id and the epoch of a server that is at least as new as the one that confirmed last."""
        ...

    def receive(self, limit: float) -> Delivery | None:
        """The next message, if one comes within so many seconds."""
        ...

    def send(self, destination: str, messages: Sequence[tuple[str, Options]]) -> list[Wait]:
        """Send persistent messages; one `Wait` for each, but none in a transaction, which `commit` confirms."""
        ...

    def begin(self, taken: Sequence[Delivery]) -> None:
        """Begin a transaction that acknowledges these; raises RefusedError."""
        ...

    def commit(self) -> None:
        """End it; raises UnknownError or RefusedError, and then `rollback` is to follow."""
        ...

    def rollback(self) -> None:
        """Undo it: what it acknowledged comes again, to somebody."""
        ...
