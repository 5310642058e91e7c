"""A client with one task and one thread, which writes down what it does and sees."""

from __future__ import annotations

import random
import threading
from typing import Any

from rmimom import Connection, ConnectionEvent, ConnectionFactory
from rmimom.errors import InvalidClientIDError
from rmimom_chaos.arrivals import Arrivals
from rmimom_chaos.history import INFO, OK
from rmimom_chaos.recorder import Recorder

PATIENCE = 600.0
"""Seconds for which a client looks for a server before it gives up: longer than any fault."""
MOMENT = 0.1
"""Seconds that a consumer waits for a message before it looks whether all is over."""


class Scene:
    """What the actors of one process share."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        incarnation: int,
        seed: int,
        rate: float,
        nameserver: str,
        user: str,
        password: str,
        delivery: str,
    ) -> None:
        self.recorder = recorder
        self.incarnation = incarnation
        self.rate = rate
        self.delivery = delivery
        self.sending_is_over = threading.Event()
        self.all_is_over = threading.Event()
        self._seed = seed
        self._factory = ConnectionFactory(nameserver)
        self._login = user, password

    def chance(self, name: str) -> random.Random:
        """Chance for one actor, the same for the same seed."""
        return random.Random(f"{self._seed} {name} {self.incarnation}")

    def end(self) -> None:
        """Let everybody go."""
        self.sending_is_over.set()
        self.all_is_over.set()

    def connect(self, client_id: str, delivery: str) -> Connection:
        """A connection; waits for a server, and until the client id is free."""
        while True:
            try:
                return self._factory.create_connection(
                    *self._login,
                    client_id=client_id,
                    delivery=self.delivery or delivery,
                    connect_timeout=PATIENCE,
                    reconnect_timeout=PATIENCE,
                )
            except InvalidClientIDError:
                # The server has not noticed yet that the process before us is dead.
                if self.all_is_over.wait(MOMENT):
                    raise


class Actor:
    """One client.  `name` is that of its incarnation: who was killed does not come back, somebody else takes over."""

    delivery = "auto"

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene = scene
        self.name = f"{name}.{scene.incarnation}"
        self.role = name
        self.chance = scene.chance(name)
        self.connection: Connection

    def play(self) -> None:
        """Connect, do the task, and go."""
        self.connection = self.scene.connect(self.role, self.delivery)
        self.arrivals = Arrivals(self.connection)
        self.connection.on_event(self._tell)
        try:
            self.act()
        finally:
            self.connection.close()

    def act(self) -> None:
        """Do the task until it is over."""
        raise NotImplementedError

    def note(self, type: str, op: str, **facts: Any) -> None:
        """Write down what happened."""
        self.scene.recorder.note(self.name, type, op, **facts)

    def confirmed(self, op: str, **facts: Any) -> None:
        """Write down that something was done, and by whom: who is connected now is at least as new as who did it."""
        welcome = self.connection._welcome
        self.note(OK, op, server=welcome.server_id, epoch=welcome.epoch, **facts)

    def _tell(self, event: ConnectionEvent) -> None:
        if event.kind in {"lost", "restored"}:
            self.note(INFO, event.kind)
