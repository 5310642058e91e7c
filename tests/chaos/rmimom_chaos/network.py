"""The network between the processes: what can be done to it, and the plainest one, with which nothing can.

A *node* is a place of processes with an address of its own: the name server, each server, each group of clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

NAMES = "names"
"""The node of the name server."""
CLIENTS = ("clients-1", "clients-2")
"""The nodes of the clients."""
OBSERVER = "observer"
"""The node of the harness itself, which nothing is done to."""


MAIN, STOMP = "main", "stomp"
"""The services of a node: what it is there for, which the name server and RMI are, and STOMP."""
SERVICES = (MAIN, STOMP)


class Network(Protocol):
    """Addresses of nodes, and ways to cut them off from each other."""

    kind: str

    def open(self, nodes: Sequence[str]) -> None:
        """Make it; raises OSError if that cannot be."""
        ...

    def close(self) -> None:
        """Take it away.  Twice is harmless."""
        ...

    def lacks(self, ability: str) -> str:
        """Why it cannot `cut`, `hold`, `delay` or `lose`; empty if it can."""
        ...

    def binds(self, node: str) -> str:
        """The address that the processes of a node listen on."""
        ...

    def port(self, node: str, service: str = MAIN) -> int:
        """The port for a service of a node."""
        ...

    def reaches(self, node: str) -> str:
        """The address under which the others find it."""
        ...

    def prefix(self, node: str) -> list[str]:
        """With what a command begins that runs at the node."""
        ...

    def started(self, node: str, pid: int) -> None:
        """A process runs at the node."""
        ...

    def cut(self, source: str, target: str) -> None:
        """Let nothing through from one node to another."""
        ...

    def hold(self, source: str, target: str) -> None:
        """Keep connections open from one node to another, but let no data through."""
        ...

    def delay(self, source: str, target: str, seconds: float) -> None:
        """Let everything from one node to another come later."""
        ...

    def lose(self, node: str, share: float) -> None:
        """Lose this share of what comes to a node."""
        ...

    def mend(self) -> None:
        """Undo all of this."""
        ...
