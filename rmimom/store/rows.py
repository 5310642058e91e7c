"""Rows as they are read: of the types that are expected, or damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from rmimom.store.trouble import SQLITE_FAILURES, damaged, explain

_T = TypeVar("_T")
_ROWS_AT_ONCE = 1000


def read_rows(connection: sqlite3.Connection, database: Path, kind: type[list[_T]], query: str) -> Iterator[_T]:
    """The rows of a query made into `kind`; raises StoreDamagedError if one does not fit.

    SQLite hands out whatever it finds in a row, text where a number was written.
    """
    try:
        cursor = connection.execute(query)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from msgspec.convert(rows, kind, strict=False)
    except SQLITE_FAILURES as error:
        raise explain(error, database) from error
    except msgspec.ValidationError as error:
        raise damaged(database, f"{query.partition(' FROM ')[2].split()[0]}: {error}") from None
