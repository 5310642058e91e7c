"""Name servers and servers as real processes, on free ports, ended by their own pid.

    with start_name_server() as names, start_server(tmp_path, nameserver=names.location) as server:
        Pyro5.api.Proxy(server.uri("rmimom.ConnectionFactory"))
        server.kill()          # SIGKILL
    with start_server(tmp_path, nameserver=names.location, port=server.port): ...   # the same server again

Each context manager returns when the process serves, and kills what still runs at its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import Pyro5.api
from support.waiting import wait_for

from rmimom.admin_token import read_token
from rmimom.rmi.exceptions import register_errors

ROOT = Path(__file__).resolve().parent.parent.parent
TIME_LIMIT = 60.0
"""Seconds for anything that a process is waited for: far more than it takes on a busy machine."""


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """Our environment without settings of rmimom and Pyro5, with a home of its own, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RMIMOM", "PYRO", "XDG"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    # Many servers run at the same time in tests, and none may want the port that STOMP usually has.
    return {**kept, "HOME": str(home), "PYTHONPATH": path, "RMIMOM_STOMP": "off", "RMIMOM_HTTP": "off", **variables}


class RunningProcess:
    """A command of ours in a process of its own; its output and log go to files."""

    def __init__(self, module: str, arguments: list[str], home: Path, variables: Mapping[str, str]) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="process-", dir=home))
        self.ready_file = self.directory / "ready"
        with (self.directory / "output").open("wb") as output, (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", module, *arguments, "--ready-file", str(self.ready_file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=clean_environment(home, **variables),
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    @property
    def output(self) -> str:
        """What it wrote to its standard output so far."""
        return (self.directory / "output").read_text()

    @property
    def log(self) -> str:
        """What it wrote to its standard error so far."""
        return (self.directory / "log").read_text()

    def wait_ready(self) -> None:
        """Wait until it serves; AssertionError with its log if it ends before."""

        def ready() -> bool:
            code = self.process.poll()
            assert code is None, f"ended with code {code}: {self.output}{self.log}"
            return self.ready_file.exists()

        wait_for(ready, "ready file")

    def wait_logged(self, text: str) -> None:
        """Wait until its log holds this text."""
        wait_for(lambda: text in self.log, f"{text!r} in the log")

    def wait_ended(self) -> int:
        """Wait until it has ended; its exit code, negative for a signal."""
        return self.process.wait(TIME_LIMIT)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.wait_ended()

    def kill(self) -> None:
        """End it without a warning, as a crash would."""
        self.process.kill()
        self.process.wait(TIME_LIMIT)

    def pause(self) -> None:
        """Make it hang."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


class NameServerProcess(RunningProcess):
    """A running `rmimom-ns`; `location` is its HOST:PORT."""

    location = ""

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.location.rpartition(":")[2])

    def proxy(self) -> Any:
        """A proxy for it, with a time limit; use it in a `with` block."""
        proxy = Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@{self.location}")
        proxy._pyroTimeout = TIME_LIMIT
        return proxy

    def names(self) -> dict[str, str]:
        """URIs by names, without those of the name server and of the cluster."""
        with self.proxy() as proxy:
            found = proxy.list()
        others = ("Pyro.NameServer", "rmimom.cluster.", "rmimom.topic.rmimom.")
        return {name: uri for name, uri in found.items() if not name.startswith(others)}


class ServerProcess(RunningProcess):
    """A running `rmimom-server`, active or standby."""

    facts: dict[str, Any]
    data: Path

    @property
    def port(self) -> int:
        """The port that it serves."""
        port: int = self.facts["port"]
        return port

    @property
    def server_id(self) -> str:
        """Its id, which stays with its data directory."""
        server_id: str = self.facts["server_id"]
        return server_id

    @property
    def location(self) -> str:
        """Its HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @property
    def stomp_port(self) -> int:
        """The port of STOMP over TCP, if it was started with `--stomp 127.0.0.1:0`."""
        port: int = self.facts["stomp"]["stomp"]
        return port

    @property
    def stomp_ws_port(self) -> int:
        """The port of STOMP over WebSocket, if it was started with `--stomp-ws 127.0.0.1:0`."""
        port: int = self.facts["stomp"]["stomp_ws"]
        return port

    def uri(self, object_id: str) -> str:
        """The URI of one of its objects."""
        return f"PYRO:{object_id}@{self.location}"

    def administration(self) -> Any:
        """A proxy for its administration object that is logged in; use it in a `with` block."""
        register_errors()
        token = read_token(self.data)
        assert token is not None
        proxy = Pyro5.api.Proxy(token.uri)
        proxy._pyroTimeout = TIME_LIMIT
        proxy._pyroHandshake = {"user": token.user, "password": token.password}
        return proxy


@contextmanager
def start_name_server(
    directory: Path | None = None, *, port: int = 0, durable: bool = False, **variables: str
) -> Iterator[NameServerProcess]:
    """A name server; `directory` keeps its files, and its names too if it is durable."""
    with _home(directory) as home:
        keep = ["--data", str(home)] if durable else ["--memory"]
        running = NameServerProcess("rmimom.nameserver", ["--port", str(port), *keep], home, variables)
        with _ended(running):
            running.location = running.ready_file.read_text().strip()
            yield running


@contextmanager
def start_server(
    data: Path, *options: str, nameserver: str = "none", port: int = 0, **variables: str
) -> Iterator[ServerProcess]:
    """A server on the data directory `data`, with more options if given; output and log lie beside the directory."""
    with _start("--active", data, options, nameserver, port, variables) as running:
        yield running


@contextmanager
def start_standby(
    data: Path, *options: str, nameserver: str, port: int = 0, **variables: str
) -> Iterator[ServerProcess]:
    """A server that follows the active one; it need not be in sync yet."""
    with _start("--standby", data, options, nameserver, port, variables) as running:
        yield running


@contextmanager
def _start(
    role: str, data: Path, options: tuple[str, ...], nameserver: str, port: int, variables: Mapping[str, str]
) -> Iterator[ServerProcess]:
    arguments = [role, "--data", str(data), "--nameserver", nameserver, "--port", str(port), *options]
    running = ServerProcess("rmimom.server_cli", arguments, data.parent, variables)
    running.data = data
    with _ended(running):
        running.facts = json.loads(running.ready_file.read_text())
        yield running


@contextmanager
def _ended(running: RunningProcess) -> Iterator[None]:
    try:
        running.wait_ready()
        yield
    finally:
        running.process.kill()
        running.process.wait()


@contextmanager
def _home(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="names-") as made:
        yield Path(made)
