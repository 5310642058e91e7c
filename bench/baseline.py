"""What SQLite alone can do here: the yardstick of the durable benchmarks."""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BODY = 1024
"""Bytes of a message body in all benchmarks."""

_BODY = os.urandom(BODY)
_SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination_id INTEGER, mode INTEGER, priority INTEGER, timestamp INTEGER,
    expiration INTEGER, delivery_time INTEGER, message_id TEXT, correlation_id TEXT, reply_to TEXT, type TEXT,
    properties TEXT, body BLOB
)
"""
_INSERT = "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"


def raw_rate(messages: int, a_transaction: int) -> float:
    """Rows a second that one process inserts with executemany, synchronous=FULL, so many in each transaction."""
    with _database() as database:
        began = time.perf_counter()
        for first in range(1, messages + 1, a_transaction):
            _insert(database, first, a_transaction)
        return messages / (time.perf_counter() - began)


def raw_commit(commits: int, pause: float) -> float:
    """Seconds that a transaction of one row takes, the median, if each begins so long after the one before.

    A disk that is asked without a pause, and the processor that asks, answer sooner than those that rest in between.
    """
    took = []
    with _database() as database:
        for number in range(1, commits + 1):
            time.sleep(pause)
            began = time.perf_counter()
            _insert(database, number, 1)
            took.append(time.perf_counter() - began)
    return statistics.median(took)


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="rmimom-bench-") as directory:
        database = sqlite3.connect(Path(directory) / "raw.db", isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute(_SCHEMA)
            yield database
        finally:
            database.close()


def _insert(database: sqlite3.Connection, first: int, count: int) -> None:
    rows = [
        (number, 1, 2, 4, 1_700_000_000_000 + number, 0, 0, f"ID:{number}", None, None, None, None, _BODY)
        for number in range(first, first + count)
    ]
    database.execute("BEGIN IMMEDIATE")
    database.executemany(_INSERT, rows)
    database.execute("COMMIT")
