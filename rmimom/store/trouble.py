"""What SQLite's errors mean to a server."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from rmimom.errors import JMSError, StoreDamagedError, StoreError, StoreFullError

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
# Our statements never change, so a table that they do not find was there when the file was made.
_SIGNS_OF_DAMAGE = ("no such table", "no such column", "decode to UTF-8")
_PROBE = bytes(64 * 1024)

SQLITE_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What Python's sqlite3 raises: the second when it cannot even read SQLite's message, which quotes what it found."""


def is_full(error: OSError) -> bool:
    """Whether it says that there is no room on the disk."""
    return error.errno in _NO_ROOM


def explain(error: sqlite3.Error | OSError | UnicodeDecodeError, database: Path) -> JMSError:
    """The error of ours that says what this one means for the store in `database`."""
    if isinstance(error, UnicodeDecodeError):
        return damaged(database, "it holds text that is not UTF-8")
    if isinstance(error, OSError):
        if is_full(error):
            return _full(database)
        return StoreError(
            f"{error.filename or database} cannot be used: {error.strerror}; "
            "check that the directory exists and that its owner runs the server",
            path=str(error.filename or database),
        )
    code: int | None = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return _full(database)
    text = str(error)
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or any(sign in text for sign in _SIGNS_OF_DAMAGE):
        return damaged(database, text)
    # With quotas and some file systems a full disk comes as an I/O error of any kind.
    if primary in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and not _has_room(database.parent):
        return _full(database)
    return StoreError(
        f"{database} failed: {error}", path=str(database), sqlite=getattr(error, "sqlite_errorname", None)
    )


def damaged(database: Path, finding: str) -> StoreDamagedError:
    """The error for data that fails a check."""
    return StoreDamagedError(
        f"{database} is damaged and is not served: {finding}; keep a copy of the directory, then restore a backup "
        "into it, or take the state from a standby, or start with an empty directory",
        path=str(database),
        finding=finding,
    )


def _full(database: Path) -> StoreFullError:
    return StoreFullError(
        f"there is no room for {database}: nothing was stored; free some space or enlarge the disk",
        path=str(database),
    )


def _has_room(directory: Path) -> bool:
    """Whether something can still be written where the database is."""
    probe = directory / "rmimom.probe"
    try:
        file = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(file, _PROBE)
            os.fsync(file)
        finally:
            os.close(file)
            probe.unlink()
    except OSError as error:
        return error.errno not in _NO_ROOM
    return written == len(_PROBE)
