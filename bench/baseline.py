"""What SQLite alone can do here: the yardstick of the durable benchmarks."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path

BODY = 1024
"""Bytes of a message body in all benchmarks."""

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
    body = os.urandom(BODY)
    with tempfile.TemporaryDirectory(prefix="rmimom-bench-") as directory:
        database = sqlite3.connect(Path(directory) / "raw.db", isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute(_SCHEMA)
            began = time.perf_counter()
            for first in range(1, messages + 1, a_transaction):
                rows = [
                    (number, 1, 2, 4, 1_700_000_000_000 + number, 0, 0, f"ID:{number}", None, None, None, None, body)
                    for number in range(first, first + a_transaction)
                ]
                database.execute("BEGIN IMMEDIATE")
                database.executemany(_INSERT, rows)
                database.execute("COMMIT")
            return messages / (time.perf_counter() - began)
        finally:
            database.close()
