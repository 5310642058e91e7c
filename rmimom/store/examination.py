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
from rmimom.store.schema import APPLICATION_ID, VERSION
from rmimom.store.trouble import damaged, explain

_MAGIC = b"SQLite format 3\x00"
_SMALL_TABLES = ("state", "destination", "subscription", "message", "delivery", "mailbox", "producer", "user")
# Beyond this a check of every page would keep clients waiting for minutes after a crash.  The segments, which are
# nearly all of a large file, have checksums of their own and are checked whenever they are read.
_WHOLE_CHECK_BYTES = 1024 * 1024 * 1024


def examine(database: Path, committed: int) -> None:
    """Look before opening; `committed` is the last batch known to have been committed (0: not known).

    Raises StoreDamagedError, StoreVersionError, or StoreError if the files cannot be read.
    """
    try:
        _examine_header(database)
        log = Path(f"{database}-wal")
        crashed = log.exists() and log.stat().st_size > 0
        # With no log there is nothing to recover, and an immutable file is read without making one.
        mode = "mode=ro" if crashed else "immutable=1"
        address = f"file:{quote(str(database.absolute()))}?{mode}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            _examine_contents(connection, database, committed, crashed=crashed)
    except (sqlite3.Error, OSError) as error:
        raise explain(error, database) from error


def _examine_header(database: Path) -> None:
    with database.open("rb") as file:
        header = file.read(100)
    if len(header) < 100:
        raise damaged(database, f"it has only {len(header)} bytes")
    if not header.startswith(_MAGIC):
        raise damaged(database, "it is not an SQLite database")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise damaged(database, "it is an SQLite database, but not one that rmimom made")
    _examine_version(database, int.from_bytes(header[60:64], "big"))


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
    row = connection.execute("SELECT sequence FROM state").fetchone()
    if row is None:
        raise damaged(database, "its state is missing")
    if row[0] < committed:
        raise damaged(
            database,
            f"it ends at batch {row[0]}, but batch {committed} was committed: its write-ahead log "
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
