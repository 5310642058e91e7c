"""Who plays in which process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rmimom_chaos.actor import Actor
from rmimom_chaos.scene import Scene
from rmimom_chaos.sending import senders
from rmimom_chaos.taking import takers

CASTS: Final[Mapping[str, tuple[Callable[[Scene], Actor], ...]]] = {**senders(), **takers()}
"""By the name of the process."""
SENDERS: Final = tuple(senders())
"""Processes that do nothing but send, and end when that is over and all of it is confirmed."""
NODES: Final = {
    "senders-1": "clients-1",
    "takers-2": "clients-1",
    "senders-2": "clients-2",
    "takers-1": "clients-2",
    "forwarders": "clients-2",
}
"""Where in the network each process is."""
PROTOCOLS: Final = ("rmi", "stomp", "mixed")
"""What the clients may speak.  Mixed: of two that do the same work one speaks RMI and one STOMP, and whoever takes over
from one that was killed speaks the other."""


def speaks_stomp(protocol: str, cast: str, part: int, incarnation: int) -> bool:
    """Whether the actor with this place in its cast speaks STOMP."""
    return protocol == "stomp" or (protocol == "mixed" and (list(CASTS).index(cast) + part + incarnation) % 2 == 1)
