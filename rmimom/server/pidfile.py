"""The file that says which process the server is.

The server keeps a lock on it for as long as it lives, so a file that a killed server left behind is recognised: nobody
holds its lock, and the process that happens to have its number now is left in peace.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from rmimom.errors import ConfigurationError, StoreInUseError

_PATIENCE: Final = 0.3
"""Seconds: `running_pid` holds the lock for the blink in which it looks."""


class PidFile:
    """Held by a running server.  `acquire` raises StoreInUseError if another one holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Make the file, lock it and write our process id."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            handle = self._open()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(handle)
                os.close(handle)
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                raise StoreInUseError(
                    f"a server is running already as process {holder or 'unknown'} with the pidfile {self.path}; "
                    "stop it with: rmimom-server stop",
                    path=str(self.path),
                    pid=holder,
                ) from None
            if _is_same(handle, self.path):
                break
            # It was taken away between our opening and our locking it.
            os.close(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        self._handle = handle

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the pidfile {self.path}: {error.strerror}; choose another with --pidfile",
                path=str(self.path),
            ) from error

    def release(self) -> None:
        """Take the file away and let go of it; twice is harmless."""
        if self._handle is not None:
            # First away, then unlocked: nobody can lock a file that is about to vanish.
            self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def running_pid(path: Path) -> int | None:
    """The process id of the server that holds this pidfile, or None if no server does.

    Raises ConfigurationError if the file is there but cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read the pidfile {path}: {error.strerror}", path=str(path)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(handle)
    finally:
        os.close(handle)
    return None


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _read(handle: int) -> int | None:
    text = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() else None
