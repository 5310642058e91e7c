"""What is wrong with files is found before they are opened, told by name, and left as it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import pytest
from support.batches import Script, make_frame, queue, stored
from support.stores import contents

from rmimom.errors import StoreDamagedError, StoreError, StoreVersionError
from rmimom.records import Batch
from rmimom.store import examination, schema
from rmimom.store.memory import MemoryStore
from rmimom.store.sqlite import SqliteStore

FRAMES = {number: make_frame(b"body %06d " % number * 100) for number in range(10, 310)}


@pytest.fixture
def settled(directory):
    """A data directory with three hundred messages, closed in order."""
    store = SqliteStore(directory)
    store.open()
    store.append(Batch(1, 1, 400, [queue(1), stored(1, [1], FRAMES)]))
    store.close()
    return directory


@pytest.fixture
def crashed(directory, tmp_path):
    """A data directory as a killed process leaves it, and the state of the specification after each batch."""
    store, model = SqliteStore(directory), MemoryStore()
    store.open()
    model.open()
    script = Script(random.Random(5).randrange)
    states = {}
    for number in range(30):
        batch = script.batch()
        store.append(batch)
        model.append(batch)
        if number == 12:
            store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # Spilled messages are gone after a restart, which is what follows here.
        states[batch.sequence] = contents(model) | {"messages": None, "deliveries": None}
    image = shutil.copytree(directory, tmp_path / "image")
    store.close()
    return image, states


def files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def assert_refused(directory, text, kind=StoreDamagedError):
    """`open` raises the error, which names the file, and leaves every file as it was."""
    before = files(directory)
    with pytest.raises(kind, match=text) as caught:
        SqliteStore(directory).open()
    assert caught.value.facts["path"] == str(directory / "rmimom.db")
    assert str(directory / "rmimom.db") in str(caught.value)
    after = files(directory)
    for name in ("rmimom.lock", "rmimom.db-shm"):
        before.pop(name, None)
        after.pop(name, None)
    assert after == before


def test_files_in_order_are_opened(settled):
    store = SqliteStore(settled)
    store.open()
    assert store.frames(list(FRAMES)) == FRAMES
    store.close()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "only 0 bytes"),
        (b"SQLite format 3\x00", "only 16 bytes"),
        (b"What is this doing here?\n" * 1000, "not an SQLite database"),
        (bytes(8192), "not an SQLite database"),
    ],
)
def test_what_is_no_database_is_refused(settled, content, text):
    (settled / "rmimom.db").write_bytes(content)
    assert_refused(settled, text)


def test_a_database_of_somebody_else_is_refused(settled):
    (settled / "rmimom.db").unlink()
    with sqlite3.connect(settled / "rmimom.db") as other:
        other.execute("CREATE TABLE message (id INTEGER)")
    other.close()
    assert_refused(settled, "not one that rmimom made")


@pytest.mark.parametrize("keep", [0.999, 0.9, 0.5, 0.1, 0.02])
def test_a_file_cut_short_is_refused(settled, keep):
    database = settled / "rmimom.db"
    content = database.read_bytes()
    database.write_bytes(content[: int(len(content) * keep)])
    assert_refused(settled, "malformed|missing|only|pages")


def test_a_database_that_is_gone_is_not_made_anew(settled):
    (settled / "rmimom.db").unlink()
    assert_refused(settled, "missing")


@pytest.mark.parametrize("version", [schema.VERSION + 1, 1000])
def test_a_newer_version_is_refused_with_both_versions(settled, version):
    with sqlite3.connect(settled / "rmimom.db", isolation_level=None) as newer:
        newer.execute(f"PRAGMA user_version = {version}")
    newer.close()
    assert_refused(settled, f"version {version}.*up to {schema.VERSION}", StoreVersionError)


def test_a_newer_version_is_recognised_while_it_is_still_in_the_log(crashed):
    image, _ = crashed
    newer = sqlite3.connect(image / "rmimom.db", isolation_level=None)
    newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    copy = shutil.copytree(image, image.parent / "copy")
    newer.close()
    assert_refused(copy, "version", StoreVersionError)


def test_a_killed_process_leaves_everything(crashed):
    image, states = crashed
    store = SqliteStore(image)
    store.open()
    assert contents(store) | {"messages": None, "deliveries": None} == states[max(states)]
    store.close()


def cut(share):
    return lambda log: log.write_bytes(log.read_bytes()[: int(log.stat().st_size * share)])


def flip(share):
    def change(log):
        content = bytearray(log.read_bytes())
        content[int(len(content) * share)] ^= 0x40
        log.write_bytes(content)

    return change


LOG_DAMAGE = {
    "removed": lambda log: log.unlink(),
    "emptied": cut(0),
    "cut at 1 %": cut(0.01),
    "cut at half": cut(0.5),
    "cut at 99 %": cut(0.99),
    "header flipped": flip(0),
    "flipped at 1 %": flip(0.01),
    "flipped at 40 %": flip(0.4),
    "garbage": lambda log: log.write_bytes(b"garbage!" * (log.stat().st_size // 8)),
}


@pytest.mark.parametrize("damage", LOG_DAMAGE)
def test_a_log_that_lost_commits_is_refused(crashed, damage):
    """SQLite itself would open the database as it was before, without a word."""
    image, _ = crashed
    LOG_DAMAGE[damage](image / "rmimom.db-wal")
    assert_refused(image, "write-ahead log")


@pytest.mark.parametrize("damage", LOG_DAMAGE)
def test_after_a_power_cut_what_is_left_is_whole(crashed, damage):
    """Without the mark nobody can tell a lost log from a log never written; the state is that of an earlier batch."""
    image, states = crashed
    (image / "rmimom.mark").unlink()
    LOG_DAMAGE[damage](image / "rmimom.db-wal")
    store = SqliteStore(image)
    store.open()
    found = contents(store)
    assert found | {"messages": None, "deliveries": None} == states[found["position"].sequence]
    store.close()


def test_a_backup_put_back_on_purpose_is_opened_without_the_mark(settled, tmp_path):
    backup = shutil.copytree(settled, tmp_path / "backup")
    store = SqliteStore(settled)
    store.open()
    store.append(Batch(1, 2, 500, [queue(400)]))
    store.close()
    shutil.copy(backup / "rmimom.db", settled / "rmimom.db")
    assert_refused(settled, "remove rmimom.mark")
    (settled / "rmimom.mark").unlink()
    store.open()
    assert store.load().position.sequence == 1
    store.close()


@pytest.mark.parametrize("number", [10, 150, 309])
def test_a_flipped_bit_in_a_body_is_found_when_it_is_read(settled, number):
    database = settled / "rmimom.db"
    content = bytearray(database.read_bytes())
    # In the middle of the frame there is nothing but body; part of it may lie on the next page.
    content[content.index(b"body %06d " % number) + 3] ^= 1
    database.write_bytes(content)
    store = SqliteStore(settled)
    store.open()
    with pytest.raises(StoreDamagedError, match="checksum") as caught:
        store.frames([number])
    assert caught.value.facts["path"] == str(database)
    store.close()


def test_a_damaged_page_after_a_crash_is_found_on_opening(settled):
    database = settled / "rmimom.db"
    reader = sqlite3.connect(database)
    root = reader.execute("SELECT rootpage FROM sqlite_master WHERE name = 'delivery'").fetchone()[0]
    reader.close()
    content = bytearray(database.read_bytes())
    start = (root - 1) * schema.PAGE_SIZE
    content[start : start + 100] = bytes(100)
    database.write_bytes(content)
    with closing(sqlite3.connect(database)) as reader, pytest.raises(StoreDamagedError) as caught:
        examination._check_pages(reader, database)
    assert "rmimom.db" in str(caught.value)


@pytest.mark.parametrize("limit", [0, 1 << 40])
def test_a_large_file_is_checked_without_its_segments(settled, limit, monkeypatch):
    monkeypatch.setattr(examination, "_WHOLE_CHECK_BYTES", limit)
    asked = []
    connection = sqlite3.connect(settled / "rmimom.db")
    connection.set_trace_callback(asked.append)
    examination._check_pages(connection, settled / "rmimom.db")
    connection.close()
    assert any("quick_check(message)" in text for text in asked) == (limit == 0)
    assert not any("segment" in text for text in asked)


def test_flipped_bits_anywhere_never_make_a_wrong_frame_or_a_strange_error(settled, tmp_path):
    """Two hundred times: what is read is right, or refused with an error of the store."""
    chance = random.Random(11)
    content = (settled / "rmimom.db").read_bytes()
    refused = 0
    for _ in range(200):
        image = bytearray(content)
        for _ in range(chance.choice((1, 1, 4, 64))):
            image[chance.randrange(len(image))] ^= 1 << chance.randrange(8)
        (settled / "rmimom.db").write_bytes(image)
        store = SqliteStore(settled)
        try:
            store.open()
            contents(store)
            found = store.frames(list(FRAMES))
            assert all(FRAMES[number] == frame for number, frame in found.items())
        except StoreError:
            refused += 1
        finally:
            store.close()
            for name in ("rmimom.db-wal", "rmimom.db-shm"):
                (settled / name).unlink(missing_ok=True)
    assert refused > 100


def test_every_table_is_among_those_that_are_checked(settled):
    reader = sqlite3.connect(settled / "rmimom.db")
    tables = {name for (name,) in reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    reader.close()
    assert tables - {"segment", "_sqlite_migrations"} == set(examination._SMALL_TABLES)
