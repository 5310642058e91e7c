"""Whole copies of a database, made while it is in use, and put in the place of another one.

SQLite writes the copy from one read transaction of a connection of its own (`VACUUM INTO`), so it is the state after
one certain batch, and the commits that go on meanwhile wait for nothing.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from rmimom.errors import StoreFullError
from rmimom.snapshot import Position
from rmimom.store.trouble import SQLITE_FAILURES, explain


def copy_database(database: Path, to: Path, reserve: int) -> Position:
    """Write the state as of now to the new file `to`; returns its place in the log.

    Raises StoreFullError if less than `reserve` bytes would be left on the disk, StoreError for anything else.
    """
    to.unlink(missing_ok=True)
    try:
        needed = database.stat().st_size + _size(Path(f"{database}-wal")) + reserve
        free = shutil.disk_usage(to.parent).free
        if free < needed:
            raise StoreFullError(
                f"a copy of the database needs {needed} bytes at {to.parent}, and {free} are free",
                needed=needed,
                free=free,
            )
        # Made first, for its mode: SQLite would let others read it.
        os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        address = f"file:{quote(str(database.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as source:
            source.execute("VACUUM INTO ?", (str(to),))
        with closing(sqlite3.connect(to, isolation_level=None)) as copy:
            return Position(*copy.execute("SELECT epoch, sequence, next_id FROM state").fetchone())
    except (*SQLITE_FAILURES, OSError) as error:
        to.unlink(missing_ok=True)
        raise explain(error, database) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def put_in_place(copy: Path, database: Path) -> None:
    """Let the copy be the database from now on: the old one, or the new one, is there at any moment.

    The old one must be closed, so that it has no log that would be taken for one of the copy.  Raises OSError.
    """
    with copy.open("rb+") as file:
        os.fsync(file.fileno())
    copy.rename(database)
    directory = os.open(database.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
