"""Writes down what a process sees, so that not even its own death takes away what it wrote before."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rmimom_chaos.history import Event, write_lines


class Recorder:
    """Appends events to a file, each with one call of the system; any thread may write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def note(self, process: str, type: str, op: str, **facts: Any) -> None:
        """Write one event down, with the time now."""
        event = Event(now(), process, type, op, monotonic=time.monotonic_ns() // 1000, **facts)
        os.write(self._file, write_lines([event]))


def now() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
