"""What SQLite's errors mean."""

from __future__ import annotations

import errno
import os
import sqlite3

import pytest

from rmimom.errors import StoreDamagedError, StoreError, StoreFullError
from rmimom.store import trouble


def sqlite_error(name, text="something"):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = getattr(sqlite3, name)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (sqlite_error("SQLITE_FULL"), StoreFullError),
        (sqlite_error("SQLITE_CORRUPT"), StoreDamagedError),
        (sqlite_error("SQLITE_CORRUPT_INDEX"), StoreDamagedError),
        (sqlite_error("SQLITE_NOTADB"), StoreDamagedError),
        (sqlite_error("SQLITE_ERROR", "no such table: message"), StoreDamagedError),
        (sqlite_error("SQLITE_ERROR", "no such column: mode"), StoreDamagedError),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'name' with text"), StoreDamagedError),
        (UnicodeDecodeError("utf-8", b"\xc5", 0, 1, "invalid"), StoreDamagedError),
        (sqlite_error("SQLITE_ERROR", "no such function: json_each"), StoreError),
        (sqlite_error("SQLITE_BUSY"), StoreError),
        (sqlite_error("SQLITE_CONSTRAINT_PRIMARYKEY"), StoreError),
        (sqlite_error("SQLITE_IOERR_FSYNC"), StoreError),
        (sqlite3.ProgrammingError("wrong number of bindings"), StoreError),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFullError),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StoreFullError),
        (PermissionError(errno.EACCES, "Permission denied"), StoreError),
    ],
    ids=repr,
)
def test_each_error_has_its_meaning(tmp_path, error, meaning):
    found = trouble.explain(error, tmp_path / "rmimom.db")
    assert type(found) is meaning
    assert str(tmp_path / "rmimom.db") in str(found)
    assert found.facts["path"] == str(tmp_path / "rmimom.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(
    "name", ["SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN"]
)
def test_an_input_output_error_on_a_full_disk_is_a_full_disk(tmp_path, monkeypatch, name, code):
    def write(*arguments):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        found = trouble.explain(sqlite_error(name), tmp_path / "rmimom.db")
    assert type(found) is StoreFullError
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_half_of_it_is_full(tmp_path, monkeypatch):
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
        assert type(trouble.explain(sqlite_error("SQLITE_IOERR"), tmp_path / "rmimom.db")) is StoreFullError


def test_the_file_of_an_operating_system_error_is_named(tmp_path):
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "rmimom.lock"))
    assert "rmimom.lock cannot be used: Permission denied" in str(trouble.explain(error, tmp_path / "rmimom.db"))


def test_damage_says_what_to_do(tmp_path):
    found = trouble.damaged(tmp_path / "rmimom.db", "page 7 is gone")
    assert "page 7 is gone" in str(found)
    assert "backup" in str(found)
    assert found.facts == {"path": str(tmp_path / "rmimom.db"), "finding": "page 7 is gone"}
