"""The servers of the demonstration: an active one that is killed, and what takes its place.

With a pair it is the standby, by itself; a server alone is started again on its data.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from Pyro5 import errors as pyro_errors
from Pyro5.client import Proxy
from Pyro5.core import NAMESERVER_NAME

from rmimom.admin.client import Client
from rmimom.admin.where import Given, connect
from rmimom.admin_token import read_token
from rmimom.demo.processes import Process, server_pid
from rmimom.destination import ADMINISTRATION_NAME
from rmimom.errors import ConnectionFailedError, JMSError

CHANGE_LIMIT = 30.0
"""Seconds that a standby may take to come in, and to take over."""
LOOK = 0.02
"""Seconds between looks at who is active."""

Step = Callable[[str], None]


class DemoServer:
    """A server on a free port, with data in a directory of its name; not started yet."""

    def __init__(self, name: str, role: str, directory: Path, nameserver: str) -> None:
        self.name = name
        self.data = directory / f"server-{name}"
        self.pid = 0
        # Everything that a server keeps goes with the demonstration's directory, the key of its cluster too.
        options = {
            "--data": str(self.data),
            "--nameserver": nameserver,
            "--cluster-key": str(directory / "cluster.key"),
            "--port": "0",
            "--http": "127.0.0.1:0",
            "--stomp": "off",
        }
        arguments = [word for option in options.items() for word in option]
        self._process = Process(self.data.name, directory, "rmimom.server_cli", role, *arguments)

    def start(self) -> None:
        """Start it, or start it again, and wait until it serves or follows.  Raises ConnectionFailedError."""
        self.pid = server_pid(self._process.start())

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def stop(self) -> None:
        """End it in an orderly way; one that was killed already has ended."""
        self._process.stop()

    def administration(self) -> Client:
        """For administration: this very server, by the token in its data."""
        return connect(Given(data=self.data))

    def __str__(self) -> str:
        return f"server {self.name}, process {self.pid}"


class Servers(ABC):
    """Starts the servers, kills the active one, and says who is active.  `step` is told what happens."""

    title: str
    """What the closing table is called."""

    def __init__(self, directory: Path, nameserver: str, step: Step) -> None:
        self.active = DemoServer("one", "--active", directory, nameserver)
        self._nameserver = nameserver
        self._step = step
        self._taking_over: threading.Thread | None = None

    def start(self) -> None:
        """Start what there is.  Raises ConnectionFailedError."""
        self.active.start()
        self._step(f"{self.active} is active")

    def kill_active(self) -> None:
        """SIGKILL to the active server; returns at once, whatever takes its place does so meanwhile."""
        self._step(f"SIGKILL to {self.active}")
        self.active.kill()
        self._taking_over = threading.Thread(target=self._watch_takeover, daemon=True)
        self._taking_over.start()

    def _watch_takeover(self) -> None:
        try:
            self._take_over()
        except JMSError as error:
            self._step(error.text)

    @abstractmethod
    def _take_over(self) -> None:
        """Wait until the successor is active, and say so.  Raises ConnectionFailedError."""

    @property
    @abstractmethod
    def successor(self) -> DemoServer:
        """Who must be active after the kill."""

    def who_is_active(self) -> str:
        """The name of the server that the name server points to, empty for none of ours."""
        if self._taking_over is not None:
            self._taking_over.join(CHANGE_LIMIT)
        return next((server.name for server in self._all() if self._is_found(server)), "")

    def _is_found(self, server: DemoServer) -> bool:
        token = read_token(server.data)
        with Proxy(f"PYRO:{NAMESERVER_NAME}@{self._nameserver}") as names:
            names._pyroTimeout = CHANGE_LIMIT
            try:
                return token is not None and str(names.lookup(ADMINISTRATION_NAME)) == token.uri
            except (pyro_errors.PyroError, OSError):  # no server is registered at this moment
                return False

    def stop(self) -> None:
        """End what runs."""
        for server in reversed(self._all()):
            server.stop()

    def _all(self) -> list[DemoServer]:
        return list(dict.fromkeys([self.active, self.successor]))


class Alone(Servers):
    """One server, which is started again on its data."""

    title = "A week of earthquakes, the server killed on the way"

    @property
    def successor(self) -> DemoServer:
        """The server itself."""
        return self.active

    def _take_over(self) -> None:
        began = time.perf_counter()
        self.active.start()
        self._step(f"{self.active} is active again, {time.perf_counter() - began:.1f} s after it was started")


class Pair(Servers):
    """An active server and a standby, which takes over by itself."""

    title = "A week of earthquakes, the active server killed on the way"

    def __init__(self, directory: Path, nameserver: str, step: Step) -> None:
        super().__init__(directory, nameserver, step)
        self._standby = DemoServer("two", "--standby", directory, nameserver)

    @property
    def successor(self) -> DemoServer:
        """The standby."""
        return self._standby

    def start(self) -> None:
        """Start both; returns when the standby has all that the active has."""
        super().start()
        self._standby.start()
        _wait_for(self._in_sync, "the standby is not in sync")
        self._step(f"{self._standby} is its standby, in sync")

    def _in_sync(self) -> bool:
        with self.active.administration() as admin:
            servers = admin.get("/cluster")["status"]["servers"]
        return len(servers) == len(self._all()) and all(server["in_sync"] for server in servers)

    def _take_over(self) -> None:
        _wait_for(lambda: self._is_found(self._standby), "the standby has not taken over")
        self._step(f"{self._standby} is active")


def _wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    limit = time.monotonic() + CHANGE_LIMIT
    while not condition():
        if time.monotonic() > limit:
            raise ConnectionFailedError(f"{otherwise} after {CHANGE_LIMIT:g} s")
        time.sleep(LOOK)
