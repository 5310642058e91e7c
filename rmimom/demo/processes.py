"""The processes of the demonstration, which can be killed, and the name server among them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from rmimom.errors import ConnectionFailedError

START_LIMIT = 30.0
"""Seconds that a process may take until it serves."""
STOP_LIMIT = 15.0
"""Seconds that a process may take to end."""


class Process:
    """A process of ours that says in a file when it is ready; its log goes to a file beside that."""

    def __init__(self, name: str, directory: Path, module: str, *arguments: str) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._ready = directory / f"{name}.ready"
        self._command = [sys.executable, "-m", module, *arguments, "--ready-file", str(self._ready)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it and wait until it serves; returns what it wrote into its ready file.

        Raises ConnectionFailedError if it ends, or does not serve in time.
        """
        self._ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + START_LIMIT
        while not self._ready.exists() or not self._ready.read_text():
            if self._process.poll() is not None:
                raise ConnectionFailedError(
                    f"the {self.name} ended with code {self._process.returncode}; see {self.log}"
                )
            if time.monotonic() > limit:
                self.kill()
                raise ConnectionFailedError(f"the {self.name} does not serve after {START_LIMIT:g} s; see {self.log}")
            time.sleep(0.01)
        return self._ready.read_text().strip()

    def kill(self) -> None:
        """SIGKILL: no goodbye, no clean-up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(STOP_LIMIT)
            self._process = None

    def stop(self) -> None:
        """End it in an orderly way, or with force if it takes too long."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_LIMIT)
                self._process = None
            except subprocess.TimeoutExpired:
                self.kill()


def start_name_server(directory: Path) -> tuple[Process, str]:
    """A name server on a free port; returns it and its address."""
    process = Process("name-server", directory, "rmimom.nameserver", "--port", "0", "--data", str(directory / "ns"))
    return process, process.start()


def server_pid(ready: str) -> int:
    """The process id in the ready file of a server."""
    return int(json.loads(ready)["pid"])
