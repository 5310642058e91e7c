"""Where the name server keeps its names: in memory for reading, in SQLite for keeping.

The file has the two tables of Pyro5's own `sql:` storage, so that a stock `pyro5-ns -s sql:FILE` can serve it too.
What is different from Pyro5's class:

Rule 1: one process at a time.  Pyro5's `safe=True` looks first and writes then; with two processes on one file both may
        find a name free, and a name that can be written only once is what keeps two servers from both being active.  So
        the file stays locked while it is open.
Rule 2: a change is on disk before it can be read, and before the call that asked for it returns.
Rule 3: a damaged file is refused when it is opened, not found out later.

Reads come from a dict, so they need no query; writes come one at a time, under the lock of Pyro5's NameServer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from Pyro5.errors import NamingError
from Pyro5.nameserver import MemoryStorage

from rmimom.errors import StoreDamagedError, StoreError, StoreInUseError

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS pyro_names
        (id integer PRIMARY KEY, name nvarchar NOT NULL UNIQUE, uri nvarchar NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS pyro_metadata
        (object integer NOT NULL, metadata nvarchar NOT NULL, FOREIGN KEY(object) REFERENCES pyro_names(id))""",
    # Pyro5 has no index here, so each change of a name would read all metadata there is.
    "CREATE INDEX IF NOT EXISTS pyro_metadata_object ON pyro_metadata(object)",
)
# A name server that is just being stopped has let go of the file within this many seconds.
_LOCK_WAIT = 2.0

Registration = tuple[str, Iterable[str] | None]


class DurableStorage(MemoryStorage):  # type: ignore[misc]  # Pyro5 has no types
    """Names and URIs in one SQLite file; a storage for `Pyro5.nameserver.NameServer`.

    Raises StoreInUseError if another process has the file open, StoreDamagedError if it failed a check, and StoreError
    if it cannot be opened or made.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Pyro5 calls from many threads, but always under the lock of its NameServer.
            self._database = sqlite3.connect(
                file, timeout=_LOCK_WAIT, isolation_level=None, check_same_thread=False, cached_statements=16
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(_cannot_open(file, error), file=str(file)) from error
        try:
            self._prepare()
            self._load()
        except sqlite3.Error as error:
            self._database.close()
            raise _explained(file, error) from error
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        database = self._database
        # In this mode the lock that the next statements take is kept until the file is closed.
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("BEGIN EXCLUSIVE")
        for statement in _SCHEMA:
            database.execute(statement)
        database.execute("COMMIT")
        verdict = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise StoreDamagedError(_damaged(self.file, verdict), file=str(self.file))

    def _load(self) -> None:
        metadata: dict[int, set[str]] = {}
        for owner, text in self._database.execute("SELECT object, metadata FROM pyro_metadata"):
            metadata.setdefault(owner, set()).add(text)
        for row, name, uri in self._database.execute("SELECT id, name, uri FROM pyro_names"):
            super().__setitem__(name, (uri, metadata.get(row, set())))

    def __setitem__(self, name: str, registration: Registration) -> None:
        """Register a name on disk, then in memory; raises NamingError, with nothing changed, if the disk refuses."""
        uri, metadata = registration
        kept = set(metadata or ())
        statements: list[tuple[str, tuple[str, ...]]] = [
            *_removal(name),
            ("INSERT INTO pyro_names(name, uri) VALUES (?, ?)", (name, uri)),
        ]
        statements += [
            ("INSERT INTO pyro_metadata(object, metadata) SELECT id, ? FROM pyro_names WHERE name=?", (text, name))
            for text in sorted(kept)
        ]
        self._write(statements)
        super().__setitem__(name, (uri, kept))

    def __delitem__(self, name: str) -> None:
        """Remove a name; raises KeyError if it is unknown and NamingError if the disk refuses."""
        if name not in self:
            raise KeyError(name)
        self.remove_items([name])

    def remove_items(self, items: Iterable[str]) -> None:
        """Remove several names at once, all or none of them; unknown ones are passed over."""
        known = [name for name in items if name in self]
        self._write([statement for name in known for statement in _removal(name)])
        for name in known:
            super().__delitem__(name)

    def clear(self) -> None:
        """Remove every name."""
        self.remove_items(list(self))

    def close(self) -> None:
        """Let go of the file; harmless when done twice."""
        self._database.close()

    def _write(self, statements: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                for sql, values in statements:
                    database.execute(sql, values)
                database.execute("COMMIT")
            except sqlite3.Error:
                # SQLite has rolled back by itself after some errors, a full disk among them.
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise NamingError(f"the name server could not write to its file, nothing was changed: {error}") from error


def _removal(name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("DELETE FROM pyro_metadata WHERE object IN (SELECT id FROM pyro_names WHERE name=?)", (name,)),
        ("DELETE FROM pyro_names WHERE name=?", (name,)),
    )


def _explained(file: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    facts = {"file": str(file)}
    if code is not None and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreInUseError(
            f"another name server has {file} open; stop it, or choose another directory with --data", **facts
        )
    if code is not None and code & 0xFF in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return StoreError(_cannot_open(file, error), **facts)
    return StoreDamagedError(_damaged(file, str(error)), **facts)


def _cannot_open(file: Path, error: Exception) -> str:
    return f"the name server's file {file} cannot be opened for writing: {error}"


def _damaged(file: Path, finding: str) -> str:
    return (
        f"the name server's file {file} is damaged ({finding}); move it away and start again:"
        " servers that are running register their names anew"
    )
