"""A name server and a server as real processes, and workers in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

START_LIMIT = 30.0
"""Seconds that a process may take to serve."""


class Scene:
    """The addresses of a running pair of name server and server; `pid` is the server's."""

    def __init__(self, directory: Path, nameserver: str) -> None:
        self.directory = directory
        self.nameserver = nameserver
        self.pid = 0
        self.stomp_port = 0  # with the option `--stomp 127.0.0.1:0`
        self._server: subprocess.Popen[bytes] | None = None

    def start_server(self, *options: str) -> float:
        """Start the server; returns the seconds until it serves."""
        ready = self.directory / "server.ready"
        ready.unlink(missing_ok=True)
        began = time.perf_counter()
        self._server = start_process(
            "rmimom.server_cli",
            "--active",
            "--data", str(self.directory / "data"),
            "--nameserver", self.nameserver,
            "--port", "0",
            "--stomp", "off",
            "--http", "off",
            "--log-level", "error",
            "--ready-file", str(ready),
            *options,
        )  # fmt: skip
        wait_ready(ready, self._server)
        facts = json.loads(ready.read_text())
        self.pid = int(facts["pid"])
        self.stomp_port = int(facts["stomp"].get("stomp", 0))
        return time.perf_counter() - began

    def stop_server(self) -> None:
        """End the server in an orderly way."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(timeout=60)
            self._server = None

    @property
    def resident_memory(self) -> int:
        """Bytes of the server's memory that are in use."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def processor_seconds(self) -> float:
        """Processor time that the server has used so far."""
        return processor_seconds(self.pid)


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def name_server() -> Iterator[tuple[Path, str]]:
    """A name server, gone afterwards; its address, and a directory that goes with it."""
    with tempfile.TemporaryDirectory(prefix="rmimom-bench-") as name:
        directory = Path(name)
        ready = directory / "ns.ready"
        process = start_process("rmimom.nameserver", "--port", "0", "--memory", "--ready-file", str(ready))
        try:
            wait_ready(ready, process)
            yield directory, ready.read_text().strip()
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextmanager
def scene(*options: str) -> Iterator[Scene]:
    """A name server and a server with data of their own, gone afterwards."""
    with name_server() as (directory, address):
        made = Scene(directory, address)
        made.start_server(*options)
        try:
            yield made
        finally:
            made.stop_server()


def start_process(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A module of ours as a program."""
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL)


def wait_ready(ready: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until it has written its ready file; raises RuntimeError if it ends or takes too long."""
    limit = time.monotonic() + START_LIMIT
    while not ready.exists() or not ready.read_text().strip():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        if time.monotonic() > limit:
            process.kill()
            raise RuntimeError(f"{process.args!r} does not serve after {START_LIMIT:g} s")
        time.sleep(0.01)


class Worker:
    """A function in a process of its own; it is given a pipe and its arguments, and says "ready" when it is."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=function, args=(other, *arguments))
        self._process.start()

    def say(self, word: Any) -> None:
        """Tell the worker something."""
        self._pipe.send(word)

    def hear(self, limit: float = 300.0) -> Any:
        """The next thing the worker says; raises if it died or says nothing within `limit` seconds."""
        if not self._pipe.poll(limit):
            raise RuntimeError(f"the worker said nothing for {limit:g} s")
        return self._pipe.recv()

    def end(self) -> None:
        """Wait for the worker's end."""
        self._process.join(timeout=30)
        if self._process.is_alive():
            self._process.kill()


__all__ = ["Pipe", "Scene", "Worker", "scene"]
