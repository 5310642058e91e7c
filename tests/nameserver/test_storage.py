"""The names in their file: kept, shared with stock Pyro5, locked, and checked."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from Pyro5.errors import NamingError
from Pyro5.nameserver import NameServer, SqlStorage

from rmimom.errors import StoreDamagedError, StoreError, StoreInUseError
from rmimom.nameserver.storage import DurableStorage

URI = "PYRO:object@127.0.0.1:4000"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that does not exist yet, in a directory that does not either."""
    return tmp_path / "made" / "names.sqlite"


@pytest.fixture
def storage(file: Path) -> Iterator[DurableStorage]:
    """An empty storage on `file`."""
    made = DurableStorage(file)
    yield made
    made.close()


@pytest.fixture
def stock_storage_leaves_its_connections_open() -> Iterator[None]:
    """Pyro5's own class leaves each connection to the garbage collector, about which Python 3.13 warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def reopened(storage: DurableStorage) -> dict[str, tuple[str, set[str]]]:
    """What a name server would find after a restart."""
    storage.close()
    with closing(DurableStorage(storage.file)) as again:
        return dict(again)


def test_names_and_metadata_survive_a_restart(storage: DurableStorage) -> None:
    storage["one"] = (URI, {"kind:queue", "x"})
    storage["two"] = (URI, None)
    expected = {"one": (URI, {"kind:queue", "x"}), "two": (URI, set())}
    assert dict(storage) == expected
    assert reopened(storage) == expected


def test_registering_again_replaces_uri_and_metadata(storage: DurableStorage) -> None:
    storage["one"] = (URI, {"old"})
    storage["one"] = ("PYRO:other@127.0.0.1:4001", {"new"})
    assert reopened(storage) == {"one": ("PYRO:other@127.0.0.1:4001", {"new"})}


def test_what_is_removed_stays_removed(storage: DurableStorage) -> None:
    for name in "abcd":
        storage[name] = (URI, {name})
    del storage["a"]
    storage.remove_items(["b", "unknown"])
    assert reopened(storage) == {"c": (URI, {"c"}), "d": (URI, {"d"})}


def test_clear_removes_everything(storage: DurableStorage) -> None:
    storage["a"] = (URI, {"m"})
    storage.clear()
    assert reopened(storage) == {}


def test_removing_an_unknown_name_is_a_key_error(storage: DurableStorage) -> None:
    with pytest.raises(KeyError):
        del storage["unknown"]


def test_the_name_server_searches_it_like_the_one_in_memory(storage: DurableStorage) -> None:
    service = NameServer(storage)
    # Pyro5's SQL storage takes _ and % in a prefix for wildcards, and passes over upper and lower case.
    for name in ("a_1", "ab1", "A_1"):
        service.register(name, URI, metadata={name, "all"})
    assert set(service.list(prefix="a_")) == {"a_1"}
    assert set(service.list(regex="a.1")) == {"a_1", "ab1"}
    assert set(service.yplookup(meta_all={"all", "ab1"})) == {"ab1"}
    assert set(service.yplookup(meta_any={"a_1", "A_1"})) == {"a_1", "A_1"}
    assert service.remove(prefix="a") == 2
    assert set(reopened(storage)) == {"A_1"}


@pytest.mark.usefixtures("stock_storage_leaves_its_connections_open")
def test_stock_pyro5_reads_what_we_wrote(storage: DurableStorage) -> None:
    storage["one"] = (URI, {"m"})
    storage.close()
    assert SqlStorage(str(storage.file))["one"] == (URI, {"m"})


@pytest.mark.usefixtures("stock_storage_leaves_its_connections_open")
def test_we_read_what_stock_pyro5_wrote(tmp_path: Path) -> None:
    file = tmp_path / "stock.sqlite"
    SqlStorage(str(file))["one"] = (URI, {"m"})
    with closing(DurableStorage(file)) as storage:
        assert dict(storage) == {"one": (URI, {"m"})}


def test_a_second_process_is_refused(storage: DurableStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmimom.nameserver.storage._LOCK_WAIT", 0.0)
    with pytest.raises(StoreInUseError, match=r"another name server has .*names\.sqlite open"):
        DurableStorage(storage.file)
    # A stock name server on the same file would find it locked as well, also for reading.
    read = f"import sqlite3; sqlite3.connect({str(storage.file)!r}, timeout=0).execute('SELECT * FROM pyro_names')"
    run = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=False, timeout=60)
    assert "database is locked" in run.stderr


def test_a_file_that_is_no_database_is_refused_by_name(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"these are not the names you are looking for" * 100)
    with pytest.raises(StoreDamagedError, match=r"names\.sqlite is damaged"):
        DurableStorage(file)
    assert file.read_bytes().startswith(b"these are")


def test_damage_inside_is_found_at_the_start(storage: DurableStorage) -> None:
    for number in range(500):
        storage[f"name-{number}"] = (URI, {"some metadata"})
    storage.close()
    data = bytearray(storage.file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4096] = b"\xa5" * 4096
    storage.file.write_bytes(data)
    with pytest.raises(StoreDamagedError, match=r"names\.sqlite is damaged"):
        DurableStorage(storage.file)


def test_damage_that_no_query_stumbles_over_is_found_as_well(storage: DurableStorage) -> None:
    storage["a"] = (URI, {"metadata"})
    [page] = storage._database.execute(
        "SELECT rootpage FROM sqlite_master WHERE name='pyro_metadata_object'"
    ).fetchone()
    [size] = storage._database.execute("PRAGMA page_size").fetchone()
    storage.close()
    data = bytearray(storage.file.read_bytes())
    data[page * size - 1] ^= 1  # the entry of the index, at the end of its page, now points to another row
    storage.file.write_bytes(data)
    with pytest.raises(StoreDamagedError, match=r"names\.sqlite is damaged \(.* missing from index"):
        DurableStorage(storage.file)


def test_a_database_of_something_else_is_refused(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE pyro_names (something TEXT)")
    with pytest.raises(StoreDamagedError, match="no such column"):
        DurableStorage(file)


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        DurableStorage(tmp_path)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        DurableStorage(tmp_path / "file" / "names.sqlite")


def test_a_full_disk_refuses_the_change_and_later_ones_work(storage: DurableStorage) -> None:
    storage["kept"] = (URI, {"m"})
    database = storage._database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(NamingError, match="nothing was changed: database or disk is full"):
        storage["large"] = ("PYRO:" + "x" * 100_000 + "@127.0.0.1:1", None)
    with pytest.raises(NamingError, match="nothing was changed"):
        storage["kept"] = ("PYRO:" + "x" * 100_000 + "@127.0.0.1:1", None)
    assert dict(storage) == {"kept": (URI, {"m"})}
    database.execute("PRAGMA max_page_count=100000")
    storage["later"] = (URI, None)
    assert reopened(storage) == {"kept": (URI, {"m"}), "later": (URI, set())}
