"""A name server, an active server and standbys as real processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from Pyro5.errors import CommunicationError
from support.processes import (
    NameServerProcess,
    ServerProcess,
    start_name_server,
    start_server,
    start_standby,
    wait_for,
)

from rmimom import ConnectionFactory
from rmimom.errors import JMSError


class Cluster:
    """A name server and servers, all of them with the cluster key in the test's home."""

    def __init__(self, directory: Path, names: NameServerProcess, stack: ExitStack) -> None:
        self.names = names
        self._directory = directory
        self._stack = stack

    def active(self, name: str, *options: str) -> ServerProcess:
        """A server on the data directory of this name, started as the active one."""
        return self._stack.enter_context(start_server(self._directory / name, *options, nameserver=self.names.location))

    def standby(self, name: str, *options: str) -> ServerProcess:
        """The same as a standby."""
        return self._stack.enter_context(
            start_standby(self._directory / name, *options, nameserver=self.names.location)
        )

    def pair(self) -> tuple[ServerProcess, ServerProcess]:
        """An active server and a standby that is in sync."""
        active, standby = self.active("one"), self.standby("two")
        wait_in_sync(active, standby)
        return active, standby

    def refused(self, role: str, name: str) -> tuple[int, str]:
        """Start a server that ends by itself; its exit code and its log."""
        data = self._directory / name
        arguments = [role, "--data", str(data), "--nameserver", self.names.location, "--port", "0"]
        running = ServerProcess("rmimom.server_cli", arguments, self._directory, {})
        try:
            return running.wait_ended(), running.log
        finally:
            running.process.kill()
            running.process.wait()

    def factory(self) -> ConnectionFactory:
        """For clients."""
        return ConnectionFactory(self.names.location)


@contextmanager
def cluster(directory: Path) -> Iterator[Cluster]:
    """A cluster without servers."""
    with start_name_server() as names, ExitStack() as stack:
        yield Cluster(directory, names, stack)


def status(server: ServerProcess) -> dict[str, Any]:
    """What the server tells administrators, {} if it serves none."""
    try:
        with server.administration() as administration:
            found: dict[str, Any] = administration.status()
            return found
    except (AssertionError, JMSError, CommunicationError, OSError):  # no token, or a standby
        return {}


def wait_active(server: ServerProcess) -> dict[str, Any]:
    """Wait until it serves; its status."""

    def serving() -> dict[str, Any]:
        found = status(server)
        return found if found.get("role") == "active" else {}

    found: dict[str, Any] = wait_for(serving, "active server")
    return found


def wait_in_sync(active: ServerProcess, *standbys: ServerProcess) -> None:
    """Wait until these and no other standbys have everything that was ever released."""
    members = {active.server_id, *(standby.server_id for standby in standbys)}

    def in_sync() -> bool:
        coordination = status(active).get("coordination")
        return coordination is not None and set(coordination["configuration"]["members"]) == members

    wait_for(in_sync, "configuration with these members")
