"""A cluster of real processes: a name server, servers, and their addresses in a network that can be broken."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import Pyro5.api
from Pyro5.errors import PyroError

from rmimom.admin_token import read_token
from rmimom.errors import JMSError
from rmimom.rmi.exceptions import register_errors
from rmimom_chaos.layout import CONFIGURATION
from rmimom_chaos.network import NAMES, STOMP, Network
from rmimom_chaos.process import Process, ProcessError
from rmimom_chaos.small_disk import SmallDisk
from rmimom_chaos.wall_clock import WallClock

SERVERS = ("one", "two", "three", "four", "five")
USER, PASSWORD = "app", "chaos"
CALL = 2.0
"""Seconds that a question to a server may take."""
HEARTBEAT = 2.0
"""Seconds between signs of life of the clients: shorter than usual, so that the dead are noticed within a run."""


class Server:
    """One server, which may run or not."""

    def __init__(self, name: str, directory: Path, data: Path) -> None:
        self.name = name
        self.data = data
        self.log = directory / f"{name}.log"
        self.process: Process | None = None
        self.small_disk: SmallDisk | None = None
        self.clock: WallClock | None = None
        self.identity = ""

    @property
    def disk(self) -> Path:
        """The directory that its data directory is in, which may be a file system of its own."""
        return self.data.parent

    @property
    def running(self) -> Process:
        """Its process; AssertionError if it was killed."""
        assert self.process is not None
        return self.process

    def ask(self, name: str, method: str, limit: float = CALL) -> Any:
        """Ask one of its objects as an administrator; None if it does not answer."""
        token = read_token(self.data)
        if token is None or self.process is None or self.process.paused:
            return None
        uri = Pyro5.api.URI(token.uri)
        try:
            with Pyro5.api.Proxy(f"PYRO:{name}@{uri.location}") as proxy:
                proxy._pyroTimeout = limit
                proxy._pyroHandshake = {"user": token.user, "password": token.password}
                return getattr(proxy, method)()
        except (JMSError, PyroError, OSError):
            return None


class Cluster:
    """The name server and the servers, in a directory that holds their data and logs.

    `server_module` is what is started as a server: tests start one that has a bug.
    """

    def __init__(
        self, directory: Path, network: Network, count: int, server_module: Sequence[str] = ("-m", "rmimom.server_cli")
    ) -> None:
        register_errors()
        self.directory = directory
        self.network = network
        self.servers = [Server(name, directory, directory / "disks" / name / "data") for name in SERVERS[:count]]
        self.names: Process | None = None
        self._module = list(server_module)
        self._home = directory / "home"
        self._home.mkdir(parents=True)
        for server in self.servers:
            server.disk.mkdir(parents=True)
        self._configuration = directory / "server.toml"
        self._configuration.write_text(CONFIGURATION, encoding="utf-8")

    @property
    def nameserver(self) -> str:
        """HOST:PORT of the name server, for everybody."""
        return f"{self.network.reaches(NAMES)}:{self.network.port(NAMES)}"

    def stomp(self, server: Server) -> str:
        """HOST:PORT under which clients find the STOMP listener of a server, while it is active."""
        return f"{self.network.reaches(server.name)}:{self.network.port(server.name, STOMP)}"

    @property
    def home(self) -> Path:
        """The home directory of all processes."""
        return self._home

    def spawn(
        self, node: str, name: str, arguments: Sequence[str], log: Path, variables: Mapping[str, str] | None = None
    ) -> Process:
        """Start a process at a node."""
        process = Process(
            name, arguments, log=log, home=self._home, prefix=self.network.prefix(node), variables=variables
        )
        self.network.started(node, process.pid)
        return process

    def start(self) -> None:
        """Start everything; returns when all servers are in sync.  Raises ProcessError if that does not come about."""
        self.start_names()
        if not self._is_loopback():
            self._add_user()
        first, *others = self.servers
        self.start_server(first, "--active")
        for server in others:
            self.start_server(server)
        self.wait_in_sync()

    def stop(self) -> None:
        """Kill everything that runs."""
        for server in self.servers:
            if server.process is not None:
                server.process.kill()
                server.process = None
        if self.names is not None:
            self.names.kill()
            self.names = None

    def start_names(self) -> None:
        """Start the name server, with what it remembers."""
        ready = self.directory / "names.ready"
        ready.unlink(missing_ok=True)
        network = self.network
        arguments = ["--host", network.binds(NAMES), "--port", str(network.port(NAMES)), "--ready-file", str(ready)]
        arguments += ["--data", str(self.directory / NAMES)]
        log = self.directory / "names.log"
        self.names = self.spawn(NAMES, "the name server", ["-m", "rmimom.nameserver", *arguments], log)
        self.names.wait_ready(ready)

    def stop_names(self, *, forget: bool) -> None:
        """Kill the name server; `forget` takes its memory away."""
        assert self.names is not None
        self.names.kill()
        self.names = None
        if forget:
            shutil.rmtree(self.directory / NAMES)

    def start_server(self, server: Server, role: str = "--standby", *, wait: bool = True) -> None:
        """Start a server on its data; raises ProcessError if it does not get ready."""
        network = self.network
        ready = self.directory / f"{server.name}.ready"
        ready.unlink(missing_ok=True)
        options = [role, "--host", network.binds(server.name), "--port", str(network.port(server.name))]
        options += ["--advertise", network.reaches(server.name), "--nameserver", self.nameserver]
        # A standby opens it when it becomes active, so the port has to be known before.
        options += ["--stomp", f"{network.binds(server.name)}:{network.port(server.name, STOMP)}"]
        process = self._serve(server, ready, options)
        if wait:
            server.identity = json.loads(process.wait_ready(ready))["server_id"]

    def _serve(self, server: Server, ready: Path, options: Iterable[str]) -> Process:
        arguments = [*self._module, *options, "--data", str(server.data), "--config", str(self._configuration)]
        arguments += ["--ready-file", str(ready), "--heartbeat", str(HEARTBEAT), "--http", "off"]
        variables = server.clock.variables if server.clock is not None else {}
        server.process = self.spawn(server.name, f"server {server.name}", arguments, server.log, variables)
        return server.process

    def kill(self, server: Server) -> None:
        """SIGKILL, if it runs."""
        if server.process is not None:
            server.process.kill()
            server.process = None

    def active(self) -> Server | None:
        """The server that serves in the highest epoch, if one says that it serves."""
        epochs = [(facts.get("epoch", 0), server) for server in self.servers if (facts := self.facts(server))]
        found = max(epochs, key=lambda pair: pair[0], default=None)
        return found[1] if found is not None and found[0] else None

    def facts(self, server: Server) -> dict[str, Any]:
        """What a server says that it is; {} if it says nothing."""
        found: dict[str, Any] = server.ask("rmimom.Cluster", "facts") or {}
        return found

    def standbys(self) -> list[Server]:
        """The servers that run and are not active."""
        active = self.active()
        return [server for server in self.servers if server is not active and server.process is not None]

    def in_sync(self) -> bool:
        """Whether one is active and all servers are in sync."""
        active = self.active()
        status = active.ask("rmimom.Cluster", "status") if active is not None else None
        if status is None:
            return False
        together = {entry["server_id"] for entry in status["servers"] if entry["in_sync"]}
        return together == {server.identity for server in self.servers}

    def wait_in_sync(self, limit: float = 120.0) -> None:
        """Wait until all servers are in sync; raises ProcessError if that does not come about."""
        wait_for(self.in_sync, "all servers in sync", limit)

    def waiting(self) -> dict[str, int] | None:
        """How many messages wait where, without places where none do; None if no server says."""
        active = self.active()
        if active is None:
            return None
        places = active.ask("rmimom.Administration", "queues")
        topics = active.ask("rmimom.Administration", "topics")
        if places is None or topics is None:
            return None
        found = {f"{place['kind']}://{place['name']}": place["pending"] for place in (*places, *topics)}
        return {name: pending for name, pending in found.items() if pending}

    def _is_loopback(self) -> bool:
        return self.network.binds(self.servers[0].name).startswith("127.")

    def _add_user(self) -> None:
        """A server listens for others only if it has users, so it is started for itself alone once."""
        server, ready = self.servers[0], self.directory / "alone.ready"
        options = ["--active", "--host", "127.0.0.1", "--port", "0", "--nameserver", "none", "--stomp", "off"]
        alone = self._serve(server, ready, options)
        alone.wait_ready(ready)
        adding = self.spawn(
            server.name,
            "adding a user",
            ["-m", "rmimom_chaos.add_user", str(server.data), USER],
            self.directory / "user.log",
        )
        adding.say(PASSWORD)
        if adding.wait():
            raise ProcessError(f"no user could be added; see {self.directory / 'user.log'}")
        self.kill(server)


def wait_for(condition: Callable[[], object], what: str, limit: float) -> None:
    """Wait until a condition holds; raises ProcessError if it does not in `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise ProcessError(f"not {what} after {limit:g} s")
        time.sleep(0.05)
