"""SqliteStore: the contract, and what only a store on disk can show."""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.batches import Script, make_frame, queue, stored, subscription, topic
from support.store_contract import StoreContract
from support.stores import Checker, contents

from rmimom import frame
from rmimom.errors import StoreError, StoreFullError, StoreInUseError
from rmimom.records import Batch, MessagesDropped, MessagesRemoved, MessagesStored
from rmimom.store import compaction
from rmimom.store.sqlite import SqliteStore


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, directory):
        made = SqliteStore(directory)
        made.open()
        yield made
        made.close()

    def fill_disk(self, store):
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    def free_disk(self, store):
        store._connection.execute("PRAGMA max_page_count = 1000000")


def play(store: SqliteStore, script: Script, batches: int, choose) -> None:
    """Batches by chance, upkeep and restarts between them; AssertionError where the store is not as it must be."""
    checker = Checker(store)
    for _ in range(batches):
        checker.append(script.batch())
        for _ in range(choose(3)):
            store.maintain()
        if choose(4) == 0:
            checker.reopen()
        checker.check()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), batches=st.integers(1, 12))
def test_after_any_batches_it_holds_what_the_specification_holds(empty, tmp_path_factory, chance, batches):
    directory = tmp_path_factory.mktemp("any") / "data"
    shutil.copytree(empty, directory)
    store = SqliteStore(directory)
    store.open()
    try:
        play(store, Script(chance.randrange), batches, chance.randrange)
    finally:
        store.close()
        shutil.rmtree(directory)


class LosesLastBatch(SqliteStore):
    """Forgets one batch in twenty when it is closed."""

    def close(self):
        if self._connection is not None and self._position.sequence % 20 == 7:
            self._connection.execute("DELETE FROM message WHERE id = (SELECT max(id) FROM message)")
        super().close()


class ForgetsRemovals(SqliteStore):
    """Takes the last of several removed messages for one that still waits."""

    def append(self, batch):
        records = [
            MessagesRemoved(record.mailbox, record.ids[:-1])
            if isinstance(record, MessagesRemoved) and len(record.ids) > 5
            else record
            for record in batch.records
        ]
        super().append(Batch(batch.epoch, batch.sequence, batch.next_id, records))


class SwapsFrames(SqliteStore):
    """Gives out the frame of a neighbour now and then."""

    def frames(self, ids):
        found = super().frames(ids)
        if len(found) > 10:
            first, second, *_ = found
            found[first], found[second] = found[second], found[first]
        return found


class StoresTwice(SqliteStore):
    """Goes on after a batch that it has refused."""

    def append(self, batch):
        halves = [batch.records[: len(batch.records) // 2], batch.records]
        if batch.sequence % 9 == 0:
            super().append(Batch(batch.epoch, batch.sequence, batch.next_id, halves[0]))
        else:
            super().append(batch)


class ForgetsNextId(SqliteStore):
    """Takes up after a restart with ids that were used before."""

    def open(self):
        super().open()
        self._connection.execute("UPDATE state SET next_id = next_id - 1 WHERE next_id > 20")
        self._take_stock(self._connection)


class CompactsCarelessly(SqliteStore):
    """Loses a live message whenever it merges segments."""

    def _compact(self):
        done = super()._compact()
        if done:
            self._connection.execute("DELETE FROM message WHERE id = (SELECT min(id) FROM message)")
        return done


@pytest.mark.parametrize(
    "broken", [LosesLastBatch, ForgetsRemovals, SwapsFrames, StoresTwice, ForgetsNextId, CompactsCarelessly]
)
def test_the_checker_finds_a_planted_bug(directory, broken):
    chance = random.Random(broken.__name__)
    store = broken(directory)
    store.open()
    try:
        with pytest.raises(AssertionError):
            play(store, Script(chance.randrange), 300, chance.randrange)
    finally:
        store.close()


def test_files_belong_to_their_owner_alone(tmp_path):
    store = SqliteStore(tmp_path / "new" / "data")
    store.open()
    store.append(Batch(1, 1, 2, [queue(1)]))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.directory.iterdir()}
    assert {"rmimom.db", "rmimom.db-wal", "rmimom.lock", "rmimom.mark"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    store.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file") as caught:
        SqliteStore(tmp_path / "file" / "data").open()
    assert "data" in str(caught.value.facts["path"])


def test_two_stores_of_one_process_exclude_each_other(directory):
    first, second = SqliteStore(directory), SqliteStore(directory)
    first.open()
    with pytest.raises(StoreInUseError):
        second.open()
    first.append(Batch(1, 1, 2, [queue(1)]))
    first.close()
    second.open()
    assert len(contents(second)["destinations"]) == 1
    second.close()


def test_an_unfinished_creation_is_started_again(tmp_path):
    """Killed before the new database had its name."""
    (tmp_path / "rmimom.new").write_bytes(b"half a database")
    (tmp_path / "rmimom.new-wal").write_bytes(b"half a log")
    store = SqliteStore(tmp_path)
    store.open()
    store.append(Batch(1, 1, 2, [queue(1)]))
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rmimom.db", "rmimom.lock", "rmimom.mark"]


def test_the_file_shrinks_when_a_backlog_is_gone_but_for_a_few_messages(directory):
    store = SqliteStore(directory)
    store.open()
    store.append(Batch(1, 1, 2, [queue(1)]))
    frames = {number: make_frame(number.to_bytes(4, "big") * 1000) for number in range(2, 4802)}
    ids = list(frames)
    for sequence, start in enumerate(range(0, len(ids), 200), 2):
        batch = {number: frames[number] for number in ids[start : start + 200]}
        store.append(Batch(1, sequence, 5000, [stored(1, [1], batch)]))
    full = store.statistics().bytes_used
    stuck = [number for number in ids if number % 40 == 0]
    gone = [number for number in ids if number % 40]
    store.append(Batch(1, 100, 5000, [MessagesRemoved(1, gone), MessagesDropped(gone)]))
    before = contents(store)
    pieces = 0
    while store.maintain():
        pieces += 1
    assert pieces < 50
    assert contents(store) == before
    assert store.frames(ids) == {number: frames[number] for number in stuck}
    segments = store._connection.execute("SELECT count(*) FROM segment").fetchone()[0]
    assert segments < len(stuck) / 10
    store.close()
    assert full > 18_000_000
    assert store.database.stat().st_size < 8_000_000


def test_upkeep_that_finds_no_room_changes_nothing(directory, monkeypatch):
    store = SqliteStore(directory)
    store.open()
    frames = {number: make_frame(bytes(6_000)) for number in range(2, 202)}
    store.append(Batch(1, 1, 300, [queue(1), stored(1, [1], frames)]))
    gone = [number for number in frames if number % 20]
    store.append(Batch(1, 2, 300, [MessagesRemoved(1, gone), MessagesDropped(gone)]))
    before = contents(store)
    merge = compaction.merge

    def merge_without_room(cursor, reader, group, first):
        merge(cursor, reader, group, first)
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    assert store.maintain(), "segments that hold nothing are swept first"
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "merge", merge_without_room)
        with pytest.raises(StoreFullError):
            store.maintain()
    assert contents(store) == before
    assert store.maintain()
    assert contents(store) == before
    assert store.frames(list(frames)) == {number: frame for number, frame in frames.items() if number % 20 == 0}
    store.close()


SMALL_DISK = textwrap.dedent(
    """
    import pathlib, sys
    from rmimom.errors import StoreFullError
    from rmimom.records import Batch
    from rmimom.store.sqlite import SqliteStore
    from support.batches import make_frame, queue, stored
    from support.stores import contents
    disk = pathlib.Path(sys.argv[1])
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    store = SqliteStore(disk / "data")
    store.open()
    store.append(Batch(1, 1, 2, [queue(1)]))
    kept = {}
    for sequence in range(2, 200):
        frames = {sequence * 10 + number: make_frame(bytes(20_000)) for number in range(5)}
        batch = Batch(1, sequence, 1, [stored(1, [1], frames)])
        before = contents(store)
        try:
            store.append(batch)
        except StoreFullError:
            break
        kept |= frames
    assert 2 < sequence < 100, sequence
    for _ in range(3):
        assert contents(store) == before
        assert store.frames(list(kept)) == kept
        try:
            store.append(batch)
        except StoreFullError:
            continue
        raise AssertionError("there was no room")
    try:
        while store.maintain():
            pass
    except StoreFullError:
        pass
    assert contents(store) == before
    ballast.unlink()
    store.append(batch)
    kept |= frames
    assert store.frames(list(kept)) == kept
    store.close()
    store.open()
    assert store.frames(list(kept)) == kept
    store.close()
    """
)


def test_on_a_disk_that_is_really_full(tmp_path, environment):
    """A file system of 4 MB, mounted for this one process."""
    mount = 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
    space = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path)]
    try:
        subprocess.run([*space, "true"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    done = subprocess.run(
        [*space, sys.executable, "-c", SMALL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("kind", [frame.TEXT, frame.BYTES, frame.MAP])
def test_the_view_shows_messages_as_people_read_them(directory, size, kind):
    store = SqliteStore(directory)
    store.open()
    properties = '{"place": "Ísafjörður"}'.encode()
    odd = make_frame(b"y" * size, properties, kind=kind, priority=7, expiration=1_700_000_001_500)
    frames = {10: make_frame(), 11: odd, 12: make_frame()}
    store.append(Batch(1, 1, 20, [queue(1, "orders"), stored(1, [1], frames)]))
    with sqlite3.connect(store.database) as reader:
        reader.row_factory = sqlite3.Row
        rows = [dict(row) for row in reader.execute("SELECT * FROM messages ORDER BY id")]
    reader.close()
    store.close()
    assert rows[1] == {
        "id": 11,
        "destination": "queue://orders",
        "delivery_mode": "persistent",
        "priority": 7,
        "sent": "2023-11-14 22:13:20.000",
        "expires": "2023-11-14 22:13:21.500",
        "not_before": None,
        "waiting_in": 1,
        "body_kind": frame.KIND_NAMES[kind],
        "properties": '{"place": "Ísafjörður"}',
        "body": b"y" * size if kind == frame.BYTES else "y" * size,
    }
    assert rows[0]["body"] == rows[2]["body"] == "hello"
    assert rows[2]["properties"] == '{"magnitude": 5.1}'


def test_the_view_shows_mailboxes(directory):
    store = SqliteStore(directory)
    store.open()
    records = [queue(1, "orders"), topic(2), subscription(3, 2), stored(2, [3], {10: make_frame(), 11: make_frame()})]
    store.append(Batch(1, 1, 20, records))
    rows = store._connection.execute("SELECT * FROM mailboxes ORDER BY id").fetchall()
    store.close()
    assert rows == [(1, "queue://orders", None, 0, 0), (3, "topic://topic-2", "client/name-3", 2, 0)]


WRITER = textwrap.dedent(
    """
    import random, sys
    from rmimom.store.sqlite import SqliteStore
    from support.batches import Script
    store = SqliteStore(sys.argv[1])
    store.open()
    script = Script(random.Random(int(sys.argv[2])).randrange)
    while True:
        batch = script.batch()
        if batch.sequence > store.load().position.sequence:
            store.append(batch)
            print(batch.sequence, flush=True)
            if batch.sequence % 5 == 0:
                store.maintain()
    """
)


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_leaves_whole_batches_and_all_that_it_told(directory, environment, seed):
    """SIGKILL at moments chosen by chance; what was told before is there, and no batch in part."""
    chance = random.Random(seed)
    told = 0
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, directory, str(seed)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(chance.randrange(1, 60)):
            told = int(writer.stdout.readline())
        writer.kill()
        rest = writer.communicate()[0].split()
        told = int(rest[-1]) if rest else told
        store = SqliteStore(directory)
        store.open()
        reached = store.load().position.sequence
        assert reached >= told
        checker = Checker(store)
        script = Script(random.Random(seed).randrange)
        while script.sequence < reached:
            batch = script.batch()
            checker.model.append(batch)
            checker.ids.update(
                number for record in batch.records if isinstance(record, MessagesStored) for number in record.ids
            )
        assert script.sequence == reached
        # A restart forgets what was spilled, and one happens now.
        checker.model.close()
        checker.model.open()
        checker.check()
        store.close()
