"""The store that survives: SQLite, group commit, frames in segments.

Theory.  One connection, in WAL mode with `synchronous=FULL`: a commit is one sync of the log, and what committed
survives a power cut.  Rows are small and few; the bytes of messages rest in segments (`segment.py`).  A segment whose
messages are all dropped is deleted in a later transaction, so one that is rolled back has nothing in memory to undo:
`SegmentIndex` changes only after a commit.

Rule 1: the files are changed by transactions only, each a whole batch or a piece of upkeep.
Rule 2: nothing that fails a check is returned; what is wrong is told by the errors of `trouble.py`.
Rule 3: whoever holds the lock of the directory is the only one who writes.  Others may read (sqlite-utils, Datasette).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from rmimom.errors import IllegalStateError
from rmimom.records import Batch
from rmimom.snapshot import Position
from rmimom.store import compaction, schema
from rmimom.store.base import StoreStatistics
from rmimom.store.changes import Changes, delete_segments
from rmimom.store.copying import copy_database, put_in_place
from rmimom.store.examination import examine
from rmimom.store.lock import DirectoryLock
from rmimom.store.mark import Mark
from rmimom.store.rows import read_rows
from rmimom.store.segment_index import SegmentIndex
from rmimom.store.segment_reader import SegmentReader
from rmimom.store.sqlite_snapshot import SqliteSnapshot
from rmimom.store.statements import ManyIds
from rmimom.store.trouble import SQLITE_FAILURES, damaged, explain

DATABASE_NAME = "rmimom.db"

# Pages of log after which a commit also folds it into the database (8 MiB): what is sent and consumed meanwhile is
# never written there at all.  More gains nothing that could be measured, and makes the log itself leave the caches.
_AUTOCHECKPOINT_PAGES = 2000
# Upkeep folds it earlier than that, so that commits seldom have to.
_CHECKPOINT_BYTES = 1024 * 1024
_CACHE_KIB = 4096
_LOG_LIMIT_BYTES = 64 * 1024 * 1024
# Free pages kept for new messages rather than given back to the file system: 4 MiB, or a quarter of those used.
_FREE_PAGES_KEPT = 1024
_VACUUM_PAGES = 512
# An outside reader can hold the database for a moment; a server waits for it this long, in seconds.
_BUSY_TIMEOUT = 5.0

_decode_ids = msgspec.json.Decoder(list[int]).decode
_HOLDERS = ManyIds("SELECT segment_id, json_group_array(id) FROM message WHERE {} GROUP BY segment_id", "id")


class SqliteStore:
    """Keeps everything in `directory`, which is made if need be (mode 0700, files 0600).

    See `rmimom.store.base.Store` for the duties.  Any thread may use it, one at a time.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.database = self.directory / DATABASE_NAME
        self._lock = DirectoryLock(self.database.with_suffix(".lock"))
        self._mark = Mark(self.database.with_suffix(".mark"))
        self._connection: sqlite3.Connection | None = None
        self._position = Position()
        self._index = SegmentIndex()
        self._reader: SegmentReader
        self._unsettled = 0
        self._messages = self._batches = self._records = self._frames_loaded = 0

    def open(self) -> None:
        """Make the store ready; see `rmimom.store.base.Store.open`.

        Raises StoreError, also for a directory that cannot be used, and StoreFullError.
        """
        if self._connection is not None:
            raise IllegalStateError("the store is open already")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
            try:
                self._open_files()
            except BaseException:
                self.close()
                raise
        except (*SQLITE_FAILURES, OSError) as error:
            raise explain(error, self.database) from error

    def load(self) -> SqliteSnapshot:
        """The state as it stands; see `rmimom.store.base.Store.load`."""
        return SqliteSnapshot(self._opened(), self.database, self._position)

    def append(self, batch: Batch) -> None:
        """Apply all records of the batch, or none; see `rmimom.store.base.Store.append`."""
        if batch.sequence <= self._position.sequence:
            raise ValueError(f"batch {batch.sequence} does not come after batch {self._position.sequence}")
        index = self._index
        with self._transaction() as cursor:
            changes = Changes(cursor, index.next_id)
            changes.apply(batch.records)
            swept = index.garbage_due()
            if swept:
                delete_segments(cursor, swept)
            cursor.execute(
                "UPDATE state SET epoch = ?, sequence = ?, next_id = ?", (batch.epoch, batch.sequence, batch.next_id)
            )
        self._mark.write(batch.sequence)
        self._position = Position(batch.epoch, batch.sequence, batch.next_id)
        index.swept(swept)
        written = 8 * schema.PAGE_SIZE
        for segment, size in changes.added:
            index.add(segment, size, size)
            written += size
        for segment, size in changes.dropped.items():
            index.drop(segment, size)
        self._unsettled += written
        self._messages += changes.messages
        self._batches += 1
        self._records += len(batch.records)

    def frames(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The frames of these messages; see `rmimom.store.base.Store.frames`."""
        connection = self._opened()
        found: dict[int, bytes] = {}
        if ids:
            try:
                for segment, members in _HOLDERS.execute(connection.cursor(), ids).fetchall():
                    for message in _decode_ids(members):
                        found[message] = self._reader.frame(segment, message)
            except SQLITE_FAILURES as error:
                raise explain(error, self.database) from error
            self._frames_loaded += len(found)
        return found

    def maintain(self) -> bool:
        """Do one piece of upkeep; True if one was done.  See `rmimom.store.base.Store.maintain`."""
        self._opened()
        return self._sweep() or self._compact() or self._vacuum() or self._checkpoint()

    def copy_to(self, path: Path, reserve: int = 0) -> Position:
        """Write everything as of one moment to a file; see `rmimom.store.base.Store.copy_to`."""
        self._opened()
        return copy_database(self.database, path, reserve)

    def replace_by(self, copy: Path) -> None:
        """Hold what another store's `copy_to` wrote; see `rmimom.store.base.Store.replace_by`."""
        self._opened()
        examine(copy, 0)
        self._close_database()
        try:
            # It vouches for the old state.
            self._mark.path.unlink(missing_ok=True)
            put_in_place(copy, self.database)
            self._open_files()
        except (*SQLITE_FAILURES, OSError) as error:
            raise explain(error, self.database) from error

    def statistics(self) -> StoreStatistics:
        """The counters; may be called from any thread at any time."""
        size = 0
        for path in (self.database, Path(f"{self.database}-wal")):
            try:
                size += path.stat().st_size
            except OSError:
                # Not there (yet), which is no bytes.
                pass
        return StoreStatistics(self._batches, self._records, self._messages, size, self._frames_loaded)

    def close(self) -> None:
        """Fold the log into the database and let go of everything.  Twice is harmless."""
        self._close_database()
        self._lock.release()

    def _close_database(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._mark.close()

    # Opening.

    def _open_files(self) -> None:
        if self.database.exists():
            examine(self.database, self._mark.read())
        else:
            self._create()
        connection = sqlite3.connect(
            self.database,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        self._connection = connection
        for pragma in (
            "journal_mode = WAL",  # a copy has lost it
            "synchronous = FULL",
            "fullfsync = ON",
            "checkpoint_fullfsync = ON",
            f"wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}",
            f"journal_size_limit = {_LOG_LIMIT_BYTES}",
            f"cache_size = -{_CACHE_KIB}",
            "cell_size_check = ON",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        schema.migrate(connection)
        self._remove_spilled()
        self._take_stock(connection)
        self._mark.open()
        self._reader = SegmentReader(connection, self.database)
        self._unsettled = self._batches = self._records = self._frames_loaded = 0

    def _create(self) -> None:
        """Make an empty database; it gets its name only when it is whole, so an empty file is always damage."""
        log = Path(f"{self.database}-wal")
        if self._mark.read() or log.exists():
            raise damaged(self.database, "it is missing, but its log or its mark are there")
        unfinished = self.database.with_suffix(".new")
        for path in (unfinished, Path(f"{unfinished}-wal"), Path(f"{unfinished}-shm")):
            path.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            schema.prepare(connection)
            schema.migrate(connection)
        unfinished.rename(self.database)
        directory = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _remove_spilled(self) -> None:
        with self._transaction() as cursor:
            if cursor.execute("DELETE FROM message WHERE mode = 1").rowcount:
                cursor.execute("DELETE FROM delivery WHERE message_id NOT IN (SELECT id FROM message)")

    def _take_stock(self, connection: sqlite3.Connection) -> None:
        states = read_rows(
            connection, self.database, list[tuple[int, int, int]], "SELECT epoch, sequence, next_id FROM state"
        )
        self._position = Position(*next(states))
        totals = read_rows(
            connection,
            self.database,
            list[tuple[int, int]],
            "SELECT count(*), coalesce(sum(length), 0) FROM message",
        )
        self._messages, waiting = next(totals)
        self._index = SegmentIndex()
        for segment, live, size in read_rows(
            connection,
            self.database,
            list[tuple[int, int, int]],
            "SELECT segment.id, coalesce(held.bytes, 0), length(segment.data) FROM segment LEFT JOIN"
            " (SELECT segment_id, sum(length) AS bytes FROM message GROUP BY segment_id) AS held"
            " ON held.segment_id = segment.id ORDER BY segment.id",
        ):
            self._index.add(segment, live, size)
            waiting -= live
        if waiting:
            raise damaged(self.database, f"{waiting} bytes of messages are in segments that are missing")

    # Upkeep, piece by piece.  Each returns whether it did something.

    def _sweep(self) -> bool:
        index = self._index
        swept = index.garbage_due()
        if not swept:
            return False
        with self._transaction() as cursor:
            delete_segments(cursor, swept)
        self._reader.forget(swept)
        index.swept(swept)
        return True

    def _compact(self) -> bool:
        index = self._index
        group = compaction.choose(index)
        if not group:
            return False
        with self._transaction() as cursor:
            added = compaction.merge(cursor, self._reader, group, index.next_id)
        index.replaced(group)
        self._reader.forget(group)
        for segment, size in added:
            index.add(segment, size, size)
            self._unsettled += size
        return True

    def _vacuum(self) -> bool:
        connection = self._opened()
        try:
            free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
            pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
            surplus = free - max(_FREE_PAGES_KEPT, (pages - free) // 4)
            if surplus < _VACUUM_PAGES:
                return False
            # Each step of the statement frees one page, and only executescript() goes on to the last step.
            connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
        except SQLITE_FAILURES as error:
            raise explain(error, self.database) from error
        self._unsettled += _VACUUM_PAGES * schema.PAGE_SIZE
        return True

    def _checkpoint(self) -> bool:
        if self._unsettled < _CHECKPOINT_BYTES:
            return False
        try:
            self._opened().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except SQLITE_FAILURES as error:
            raise explain(error, self.database) from error
        self._unsettled = 0
        return True

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise IllegalStateError("the store is not open")
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """All or nothing; errors of SQLite come out as ours."""
        connection = self._opened()
        cursor = connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            cursor.execute("COMMIT")
        except SQLITE_FAILURES as error:
            _roll_back(connection)
            raise explain(error, self.database) from error
        except BaseException:
            _roll_back(connection)
            raise


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        connection.rollback()
    except sqlite3.Error:
        # Then SQLite has done it already, or does it when the connection closes; the first error is the one to tell.
        pass
