"""One server for one data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rmimom.errors import StoreInUseError


class DirectoryLock:
    """An exclusive lock that ends with the process, however it ends.

    The lock is on the open file (flock), not on the process: two stores of one process exclude each other too.  The
    file holds the number of the process, for people and for the error; it stays when the lock is released, because
    removing it would let two servers lock two different files of that name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise StoreInUseError at once; OSError if the file cannot be made."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
            os.close(file)
            raise StoreInUseError(
                f"the data directory {self.path.parent} is in use by process {holder or 'unknown'}; "
                "stop that server first, or give this one another directory",
                path=str(self.path.parent),
                pid=int(holder) if holder.isdecimal() else None,
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
        self._file = file

    def release(self) -> None:
        """Let go; twice is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
