"""Statements that carry many rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from rmimom.store.statements import ManyIds, ManyRows


@pytest.fixture
def cursor():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT)")
        yield connection.cursor()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 127, 128, 129, 255, 256, 300, 1000])
def test_any_number_of_rows(cursor, count):
    values = [value for number in range(count) for value in (number, f"text {number}")]
    ManyRows("thing", ("id", "text")).insert(cursor, values)
    rows = cursor.execute("SELECT id, text FROM thing ORDER BY id").fetchall()
    assert rows == [(number, f"text {number}") for number in range(count)]


def test_few_statements_and_always_the_same(cursor):
    seen = []
    cursor.connection.set_trace_callback(seen.append)
    things = ManyRows("thing", ("id", "text"))
    for count in range(1, 300):
        seen.clear()
        things.insert(cursor, [value for number in range(count) for value in (number, "x")])
        assert len(seen) <= 9
        cursor.execute("DELETE FROM thing")
    assert len(things._texts) == 8


def test_a_conflict_is_solved_as_said(cursor):
    things = ManyRows("thing", ("id", "text"), " ON CONFLICT (id) DO UPDATE SET text = excluded.text")
    things.insert(cursor, [1, "a", 2, "b"])
    things.insert(cursor, [2, "c", 3, "d"])
    assert cursor.execute("SELECT * FROM thing").fetchall() == [(1, "a"), (2, "c"), (3, "d")]


@pytest.mark.parametrize(
    "ids",
    [[5], [5, 6, 7, 8], [8, 6, 7, 5], [5, 7], [1, 100], [5, 5], [5, 6, 6, 8], [99, 3, 50], range(10, 20), [77, 1000]],
    ids=str,
)
def test_exactly_these_rows(cursor, ids):
    cursor.executemany("INSERT INTO thing VALUES (?, 'x')", [(number,) for number in range(1, 101)])
    found = ManyIds("SELECT id FROM thing WHERE text = ? AND {} ORDER BY id", "id").execute(cursor, ids, "x")
    assert [number for (number,) in found] == sorted({number for number in ids if 1 <= number <= 100})
