"""What the actors of one process share."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from typing import Final

import msgspec

from rmimom_chaos.recorder import Recorder

PATIENCE: Final = 600.0
"""Seconds for which a client looks for a server before it gives up: longer than any fault."""
MOMENT: Final = 0.1
"""Seconds that a consumer waits for a message before it looks whether all is over."""

Address = tuple[str, int]


class Door(msgspec.Struct, frozen=True):
    """How clients come in: where the name server and the STOMP ports are, and what a client says of itself.

    `delivery` is how RMI clients get their messages, empty if they may choose.
    """

    nameserver: str
    stomp: Sequence[Address]
    user: str
    password: str
    delivery: str = ""


class Scene:
    """See the module's text."""

    def __init__(self, recorder: Recorder, door: Door, *, incarnation: int, seed: int, rate: float) -> None:
        self.recorder = recorder
        self.door = door
        self.incarnation = incarnation
        self.rate = rate
        self.sending_is_over = threading.Event()
        self.all_is_over = threading.Event()
        self._seed = seed

    def chance(self, name: str) -> random.Random:
        """Chance for one actor, the same for the same seed."""
        return random.Random(f"{self._seed} {name} {self.incarnation}")

    def end(self) -> None:
        """Let everybody go."""
        self.sending_is_over.set()
        self.all_is_over.set()
