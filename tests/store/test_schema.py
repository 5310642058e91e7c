"""The schema: made in steps, and described."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from rmimom.records import SubscriptionCreated
from rmimom.store import schema
from rmimom.store.sqlite import DATABASE_NAME, SqliteStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def connection(tmp_path):
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as made:
        schema.prepare(made)
        schema.migrate(made)
        yield made


def value(connection, question):
    return connection.execute(question).fetchone()[0]


def test_a_new_file_says_what_it_is(connection):
    assert value(connection, "PRAGMA application_id").to_bytes(4, "big") == b"RMOM"
    assert value(connection, "PRAGMA user_version") == schema.VERSION
    assert value(connection, "PRAGMA journal_mode") == "wal"
    assert value(connection, "PRAGMA auto_vacuum") == 2, "2 is incremental"


def test_each_step_is_written_down(connection):
    names = [
        name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'rmimom'")
    ]
    assert names == [name for name, _ in schema.STEPS]
    assert [int(name.partition("_")[0]) for name in names] == list(range(1, schema.VERSION + 1))


def test_steps_are_done_once_and_only_what_is_missing(connection, monkeypatch):
    connection.execute("INSERT INTO destination VALUES (1, 'queue', 'orders', 0, 0)")
    schema.migrate(connection)
    steps = (*schema.STEPS, ("more", "CREATE TABLE more (id INTEGER);\nINSERT INTO more VALUES (1);\n"))
    monkeypatch.setattr(schema, "STEPS", steps)
    monkeypatch.setattr(schema, "VERSION", len(steps))
    schema.migrate(connection)
    schema.migrate(connection)
    assert connection.execute("SELECT id FROM more").fetchall() == [(1,)]
    assert value(connection, "SELECT count(*) FROM destination") == 1
    assert value(connection, "PRAGMA user_version") == len(steps)


def test_a_step_that_fails_leaves_nothing(connection, monkeypatch):
    steps = (*schema.STEPS, ("bad", "CREATE TABLE more (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n"))
    monkeypatch.setattr(schema, "STEPS", steps)
    monkeypatch.setattr(schema, "VERSION", len(steps))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection)
    assert value(connection, "PRAGMA user_version") == len(steps) - 1
    assert value(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'more'") == 0


def test_an_older_file_is_brought_up_to_date(tmp_path, monkeypatch):
    """Given a file of the first version with a subscription, when it is opened, then that is as it was: not shared."""
    steps = schema.STEPS
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE_NAME, isolation_level=None)) as old:
        monkeypatch.setattr(schema, "STEPS", steps[:1])
        monkeypatch.setattr(schema, "VERSION", 1)
        schema.prepare(old)
        schema.migrate(old)
        old.execute("INSERT INTO destination VALUES (1, 'topic', 'news', 0)")
        old.execute("INSERT INTO subscription VALUES (2, 1, 'ann', 'archive', '', 0, '', 7)")
    monkeypatch.undo()
    store = SqliteStore(tmp_path / "data")
    store.open()
    assert list(store.load().subscriptions()) == [SubscriptionCreated(2, 1, "ann", "archive", "", False, "", 7)]
    store.close()


def test_views_know_patterns(connection):
    """Given a message that waits in the subscriptions of a topic and of a pattern, when read, then both count."""
    connection.execute("INSERT INTO destination VALUES (1, 'topic', 'quakes.it', 0, 0)")
    for number, topic, pattern in [(2, 1, ""), (3, 0, "quakes.*")]:
        connection.execute(
            "INSERT INTO subscription VALUES (?, ?, 'ann', 'x', '', 0, '', 0, 0, ?)", (number, topic, pattern)
        )
        connection.execute("INSERT INTO delivery (mailbox_id, message_id, count) VALUES (?, 9, 0)", (number,))
    connection.execute("INSERT INTO segment VALUES (1, '', 0, '')")
    connection.execute("INSERT INTO message VALUES (9, 1, 1, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0, '')")
    assert connection.execute("SELECT destination, waiting FROM mailboxes ORDER BY id").fetchall() == [
        ("topic://quakes.it", 1),
        ("topic://quakes.*", 1),
    ]
    assert value(connection, "SELECT waiting_in FROM messages") == 2


def test_a_restart_does_not_import_sqlite_utils(directory, environment):
    program = """
import sys
from rmimom.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.open()
store.close()
assert "sqlite_utils" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, directory], check=True, timeout=60, env=environment)


def test_every_table_view_and_column_is_documented(connection):
    """docs/design/0002-store.md describes the file for those who read it with sqlite-utils or Datasette."""
    text = (ROOT / "docs" / "design" / "0002-store.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^#### `(\w+)`.*?\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL))
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        if not name.startswith(("sqlite_", "_sqlite"))
    ]
    assert sorted(sections) == sorted(names)
    for name in names:
        columns = {column for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))}
        described = set(re.findall(r"^\| `(\w+)`", sections[name], re.MULTILINE))
        assert described == columns, name


OLD = """
INSERT INTO destination (id, kind, name, created) VALUES (1, 'queue', 'orders', 0);
INSERT INTO segment VALUES (1, '[]', 0, x'');
INSERT INTO message (id, destination_id, segment_id, position, length, kind, mode, priority, timestamp, expiration,
    delivery_time, properties_length, body_length) VALUES (5, 1, 1, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0);
INSERT INTO delivery (mailbox_id, message_id, count) VALUES (1, 5, 3);
"""


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path, monkeypatch):
    """Given deliveries written before failures were counted, when migrated, then nobody has failed on them."""
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as made:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "STEPS", schema.STEPS[:1])
            patch.setattr(schema, "VERSION", 1)
            schema.prepare(made)
            schema.migrate(made)
        made.executescript(OLD)
        schema.migrate(made)
        assert value(made, "PRAGMA user_version") == schema.VERSION
        assert made.execute("SELECT * FROM delivery").fetchall() == [(1, 5, 3, 0, "", 0)]
        assert value(made, "SELECT waiting_in FROM messages") == 1


def test_dead_letters_can_be_read_by_people(connection):
    connection.executescript(OLD)
    note = '{"original_destination":"queue://orders","reason":"no stock","failures":7,"dead_at":1700000000000}'
    connection.execute("INSERT INTO destination VALUES (2, 'queue', 'DLQ.orders', 0, 0)")
    connection.execute("UPDATE delivery SET mailbox_id = 2, note = ?", (note,))
    assert connection.execute("SELECT * FROM dead_letters").fetchall() == [
        (5, "DLQ.orders", "queue://orders", "no stock", 7, "2023-11-14 22:13:20.000")
    ]
    assert value(connection, "SELECT waiting_in FROM messages") == 1
    connection.execute("UPDATE delivery SET note = '{\"retried_at\":1700000000000}', mailbox_id = 1")
    assert value(connection, "SELECT count(*) FROM dead_letters") == 0
    assert value(connection, "SELECT waiting_in FROM messages") == 1
