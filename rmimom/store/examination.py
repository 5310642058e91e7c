"""Whether the files of a store may be used.

Everything here reads and nothing writes, so that files found to be damaged, or of a newer version, stay as they are
for whoever repairs them: SQLite itself would fold a write-ahead log into the database when it closes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from rmimom.errors import StoreVersionError
from rmimom.store.rows import read_rows
from rmimom.store.schema import APPLICATION_ID, VERSION
from rmimom.store.trouble import SQLITE_FAILURES, damaged, explain

_MAGIC = b"SQLite format 3\x00"
_SMALL_TABLES = ("state", "destination", "subscription", "message", "delivery", "mailbox", "producer", "account")
# Beyond this a check of every page would keep clients waiting for minutes after a crash.  The segments, which are
# nearly all of a large file, have checksums of their own and are checked whenever they are read.
_WHOLE_CHECK_BYTES = 1024 * 1024 * 1024


def examine(database: Path, committed: int) -> None:
    """Look before opening; `committed` is the last batch known to have been committed (0: not known).

    Raises StoreDamagedError, StoreVersionError, or StoreError if the files cannot be read.
    """
    try:
        log = Path(f"{database}-wal")
        crashed = log.exists() and log.stat().st_size > 0
        _examine_header(database, crashed=crashed)
        # With no log there is nothing to recover, and an immutable file is read without making one.
        mode = "mode=ro" if crashed else "immutable=1"
        address = f"file:{quote(str(database.absolute()))}?{mode}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            _examine_contents(connection, database, committed, crashed=crashed)
    except (*SQLITE_FAILURES, OSError) as error:
        raise explain(error, database) from error


def _examine_header(database: Path, *, crashed: bool) -> None:
    with database.open("rb") as file:
        header = file.read(100)
    if len(header) < 100:
        raise damaged(database, f"it has only {len(header)} bytes")
    if not header.startswith(_MAGIC):
        raise damaged(database, "it is not an SQLite database")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise damaged(database, "it is an SQLite database, but not one that rmimom made")
    _examine_version(database, int.from_bytes(header[60:64], "big"))
    # SQLite reads zeros behind the end of a file.  After a crash the log still holds what was being written there.
    page_size = int.from_bytes(header[16:18], "big")
    if not crashed and (not page_size or database.stat().st_size % page_size):
        raise damaged(database, "it does not consist of whole pages")


def _examine_version(database: Path, version: int) -> None:
    if version > VERSION:
        raise StoreVersionError(
            f"{database} has schema version {version}, made by a newer rmimom; this one knows versions up to "
            f"{VERSION}: install the newer rmimom, or use another data directory",
            path=str(database),
            found=version,
            known=VERSION,
        )


def _examine_contents(connection: sqlite3.Connection, database: Path, committed: int, *, crashed: bool) -> None:
    _examine_version(database, connection.execute("PRAGMA user_version").fetchone()[0])
    if crashed:
        _check_pages(connection, database)
    reached = next(read_rows(connection, database, list[tuple[int]], "SELECT sequence FROM state"), None)
    if reached is None:
        raise damaged(database, "its state is missing")
    if reached[0] < committed:
        raise damaged(
            database,
            f"it ends at batch {reached[0]}, but batch {committed} was committed: its write-ahead log "
            f"({database.name}-wal) was damaged, cut or removed (if you restored a backup on purpose, "
            f"remove {database.stem}.mark)",
        )


def _check_pages(connection: sqlite3.Connection, database: Path) -> None:
    if database.stat().st_size <= _WHOLE_CHECK_BYTES:
        checks = ["PRAGMA quick_check(1)"]
    else:
        checks = [f"PRAGMA quick_check({table})" for table in _SMALL_TABLES]
    for check in checks:
        finding: str = connection.execute(check).fetchone()[0]
        if finding != "ok":
            raise damaged(database, finding.replace("\n", " "))
