"""Parts that wait for a standby: the first ones in memory, what comes while it is slow in a file."""

from __future__ import annotations

import struct
import tempfile
from collections import deque
from pathlib import Path
from typing import IO, Final

IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes that wait in memory; more go to the disk."""
_LENGTH: Final = struct.Struct("!I")


class Backlog:
    """A queue of parts, in order.  `directory` is where the file is made; it has no name there."""

    def __init__(self, directory: Path, in_memory: int = IN_MEMORY) -> None:
        self._directory = directory
        self._limit = in_memory
        self._ready: deque[bytes] = deque()
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._read_at = 0
        self._in_file = 0

    def __len__(self) -> int:
        return len(self._ready) + self._in_file

    def append(self, part: bytes) -> None:
        """Add a part behind all others.  Raises OSError if the disk has no room for it."""
        if self._file is None and self._bytes + len(part) > self._limit and self._ready:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed when all is read
            self._read_at = self._in_file = 0
        if self._file is None:
            self._ready.append(part)
            self._bytes += len(part)
            return
        self._file.seek(0, 2)
        self._file.write(_LENGTH.pack(len(part)) + part)
        self._in_file += 1

    def take(self, size: int) -> list[bytes]:
        """Take the next parts, of about `size` bytes together, at least one if there is any."""
        taken: list[bytes] = []
        while size > 0 and (self._ready or self._in_file):
            if not self._ready:
                self._refill()
            part = self._ready.popleft()
            self._bytes -= len(part)
            size -= len(part)
            taken.append(part)
        return taken

    def _refill(self) -> None:
        assert self._file is not None
        self._file.seek(self._read_at)
        while self._in_file and self._bytes < self._limit:
            [length] = _LENGTH.unpack(self._file.read(_LENGTH.size))
            part = self._file.read(length)
            self._ready.append(part)
            self._bytes += len(part)
            self._in_file -= 1
        self._read_at = self._file.tell()
        if not self._in_file:
            self.close()

    def close(self) -> None:
        """Let go of the file.  Twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._in_file = 0
