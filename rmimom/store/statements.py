"""Statements that carry many rows.

Python's sqlite3 gives the interpreter lock away at every step, and another busy thread keeps it for up to the switch
interval (5 ms) each time.  `executemany` makes one step a row: with the event loop busy in its thread a commit of a
hundred rows takes half a second, against some milliseconds for a few statements with many rows each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

Value: TypeAlias = int | str | bytes

_SIZES = (128, 64, 32, 16, 8, 4, 2, 1)
_encode = msgspec.json.encode


class ManyRows:
    """`INSERT` of any number of rows in few statements, whose texts are always the same and so are prepared once."""

    def __init__(self, table: str, columns: Sequence[str], conflict: str = "") -> None:
        self.width = len(columns)
        row = f"({', '.join('?' * self.width)})"
        head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - names from this package only
        self._texts = [(size, f"{head}{', '.join([row] * size)}{conflict}") for size in _SIZES]
        self._one_row = self._texts[-1][1]

    def insert(self, cursor: sqlite3.Cursor, values: Sequence[Value]) -> None:
        """Insert rows given as one flat sequence of their values."""
        if len(values) == self.width:
            cursor.execute(self._one_row, values)
            return
        start, left = 0, len(values) // self.width
        for size, text in self._texts:
            while left >= size:
                end = start + size * self.width
                cursor.execute(text, values[start:end])
                start = end
                left -= size


class ManyIds:
    """A statement on rows chosen by id: a range if the ids leave no gap, else a list.

    `text` has `{}` in the place of the condition on `column`; its other parameters come before.
    """

    def __init__(self, text: str, column: str) -> None:
        self._range = text.format(f"{column} BETWEEN ? AND ?")
        self._list = text.format(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - as above

    def execute(self, cursor: sqlite3.Cursor, ids: Sequence[int], *parameters: Value) -> sqlite3.Cursor:
        """Run the statement for these ids, of which there must be one at least."""
        first = ids[0]
        count = len(ids)
        # Ids mostly come in order and without a gap; comparing with a range finds that out faster than sorting.
        if count == 1 or (ids[-1] - first == count - 1 and list(ids) == list(range(first, first + count))):
            return cursor.execute(self._range, (*parameters, first, first + count - 1))
        return cursor.execute(self._list, (*parameters, _encode(list(ids)).decode("ascii")))
