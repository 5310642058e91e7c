"""One process of ours: started, killed, paused, and ended with us whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import rmimom
import rmimom_chaos

TIME_LIMIT = 60.0
"""Seconds that a process may take to serve or to end."""


class ProcessError(Exception):
    """A process did not do what it was started for."""


class Process:
    """A Python module of ours that runs; its output goes to the end of `log`."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        home: Path,
        prefix: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.paused = False
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*prefix, *_ends_with_us(), sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment(home, variables or {}),
                # Ctrl-C is for us; we end the others.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended, negative for a signal; None if it goes on."""
        return self._process.poll()

    def say(self, line: str) -> None:
        """Write a line to its standard input; harmless if it has ended."""
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return
        with contextlib.suppress(OSError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def wait_ready(self, ready: Path) -> str:
        """Wait until it has written this file; its text.  Raises ProcessError if it ends before, or takes too long."""
        deadline = time.monotonic() + TIME_LIMIT
        while not ready.exists() or not (text := ready.read_text()):
            if not self.alive:
                raise ProcessError(f"{self.name} ended with code {self._process.returncode}; see {self.log}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} does not serve after {TIME_LIMIT:g} s; see {self.log}")
            time.sleep(0.01)
        return text.strip()

    def wait(self, limit: float = TIME_LIMIT) -> int:
        """Wait for its end; its exit code.  Raises ProcessError if it goes on."""
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self.name} has not ended after {limit:g} s; see {self.log}") from None
        self._hang_up()
        return code

    def kill(self) -> None:
        """SIGKILL: no goodbye, no clean-up."""
        self._process.kill()
        self._process.wait()
        self._hang_up()

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def pause(self) -> None:
        """Let it hang."""
        self._process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)
        self.paused = False


def environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Our environment without settings of rmimom and Pyro5, in which our modules are found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RMIMOM", "PYRO", "XDG"))}
    places = {str(Path(module.__file__ or "").parent.parent): None for module in (rmimom, rmimom_chaos)}
    path = os.pathsep.join([*places, *filter(None, [kept.get("PYTHONPATH")])])
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        **variables,
    }


def _ends_with_us() -> list[str]:
    """The beginning of a command that is killed when we die, where the system has one."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
