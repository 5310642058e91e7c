"""A name server, an active server and its standby as real processes, with default settings, which change places."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.scene import name_server, processor_seconds, start_process, wait_ready
from rmimom.admin.client import Client
from rmimom.admin.where import Given, connect

SYNC_LIMIT = 120.0
"""Seconds that a standby may take to have everything that the active has."""


class Member:
    """A server of the pair, with a directory for its data."""

    def __init__(self, name: str, directory: Path, nameserver: str) -> None:
        self.data = directory / name
        self._ready = directory / f"{name}.ready"
        self._options = (
            "--data", str(self.data),
            "--nameserver", nameserver,
            "--cluster-key", str(directory / "cluster.key"),
            "--port", "0",
            "--stomp", "off",
            "--http", "127.0.0.1:0",
            "--log-level", "error",
            "--ready-file", str(self._ready),
        )  # fmt: skip
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, role: str) -> None:
        """Start it as `--active` or `--standby`; returns when it serves or follows."""
        self._ready.unlink(missing_ok=True)
        self._process = start_process("rmimom.server_cli", role, *self._options)
        wait_ready(self._ready, self._process)
        self.pid = int(json.loads(self._ready.read_text())["pid"])

    def kill(self) -> float:
        """SIGKILL; returns when that was sent, in seconds of the machine's monotonic clock."""
        assert self._process is not None
        killed_at = time.monotonic()
        self._process.kill()
        self._process.wait(timeout=10)
        self._process = None
        return killed_at

    def stop(self) -> None:
        """End it in an orderly way, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def administration(self) -> Client:
        """For orders to this very server."""
        return connect(Given(data=self.data))


class Pair:
    """Who is `active` and who is `standby` of a running pair, which find each other at `nameserver`."""

    def __init__(self, directory: Path, nameserver: str) -> None:
        self.nameserver = nameserver
        self.active = Member("one", directory, nameserver)
        self.standby = Member("two", directory, nameserver)

    def start(self) -> None:
        """Start both; returns when the standby is in sync."""
        self.active.start("--active")
        self.standby.start("--standby")
        self.wait_in_sync()

    def change_places(self) -> None:
        """Take note that the standby is active now."""
        self.active, self.standby = self.standby, self.active

    def wait_in_sync(self) -> None:
        """Wait until the standby has everything that the active has."""
        limit = time.monotonic() + SYNC_LIMIT
        while not self._in_sync():
            if time.monotonic() > limit:
                raise RuntimeError(f"the standby is not in sync after {SYNC_LIMIT:g} s")
            time.sleep(0.02)

    def _in_sync(self) -> bool:
        with self.active.administration() as admin:
            found = admin.get("/cluster")["status"]
        servers = found["servers"]
        return len(servers) == 2 and found["phase"] == "active" and all(server["in_sync"] for server in servers)

    def switch_over(self) -> None:
        """Let the standby become active, as an operator does; returns when it is decided."""
        with self.active.administration() as admin:
            admin.post("/cluster/switchover", {"to": None})
        self.change_places()

    def stop(self) -> None:
        """End both."""
        self.standby.stop()
        self.active.stop()

    @property
    def processor_seconds(self) -> float:
        """Processor time that the active server has used so far."""
        return processor_seconds(self.active.pid)


@contextmanager
def pair() -> Iterator[Pair]:
    """An active server and a standby in sync with data of their own, gone afterwards."""
    with name_server() as (directory, nameserver):
        made = Pair(directory, nameserver)
        try:
            made.start()
            yield made
        finally:
            made.stop()
