"""A client with one task and one thread, which writes down what it does and sees."""

from __future__ import annotations

from typing import Any

from rmimom_chaos.client import Client, Source
from rmimom_chaos.history import INFO, OK
from rmimom_chaos.rmi_client import RmiClient
from rmimom_chaos.scene import Scene


class Actor:
    """One client.  `name` is that of its incarnation: who was killed does not come back, somebody else takes over.

    `source` is what it consumes, if anything.
    """

    delivery = "auto"
    transacted = False

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene = scene
        self.name = f"{name}.{scene.incarnation}"
        self.role = name
        self.chance = scene.chance(name)
        self.source: Source | None = None
        self.client: Client

    def play(self, *, stomp: bool) -> None:
        """Connect, do the task, and go."""
        self.client = self._stomp_client() if stomp else self._rmi_client()
        self.open()
        try:
            self.act()
        finally:
            self.client.close()

    def _rmi_client(self) -> Client:
        return RmiClient(
            self.scene, self.name, self.role, self._tell, delivery=self.delivery, transacted=self.transacted
        )

    def _stomp_client(self) -> Client:
        # stomp.py need not be there if nobody speaks STOMP.
        from rmimom_chaos.stomp_client import StompClient

        return StompClient(self.scene, self.name, self.role, self._tell, transacted=self.transacted)

    def open(self) -> None:
        """Connect."""
        self.client.open(self.source)

    def act(self) -> None:
        """Do the task until it is over."""
        raise NotImplementedError

    def note(self, type: str, op: str, **facts: Any) -> None:
        """Write down what happened."""
        self.scene.recorder.note(self.name, type, op, **facts)

    def confirmed(self, op: str, **facts: Any) -> None:
        """Write down that something was done, and by whom: who is connected now is at least as new as who did it."""
        server, epoch = self.client.reign
        self.note(OK, op, server=server, epoch=epoch, **facts)

    def _tell(self, what: str) -> None:
        self.note(INFO, what)
