"""The file that says which process the server is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rmimom.errors import ConfigurationError, StoreInUseError
from rmimom.server import pidfile
from rmimom.server.pidfile import PidFile, running_pid


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for a lock."""
    monkeypatch.setattr(pidfile, "_PATIENCE", 0.0)


def test_it_names_the_process_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert running_pid(path) is None
    held = PidFile(path)
    held.acquire()
    assert running_pid(path) == os.getpid()
    held.release()
    held.release()
    assert running_pid(path) is None
    assert not path.exists()


def test_a_second_holder_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    first, second = PidFile(tmp_path / "pid"), PidFile(tmp_path / "pid")
    first.acquire()
    with pytest.raises(StoreInUseError, match=f"running already as process {os.getpid()} with the pidfile") as caught:
        second.acquire()
    assert caught.value.facts["pid"] == os.getpid()
    second.release()
    assert running_pid(tmp_path / "pid") == os.getpid()
    first.release()
    second.acquire()
    second.release()


def test_a_file_that_a_killed_server_left_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("1\n")  # a process that certainly runs
    assert running_pid(path) is None
    held = PidFile(path)
    held.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    held.release()


def test_a_file_that_vanishes_between_opening_and_locking_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pid"
    leaving = PidFile(path)
    leaving.acquire()
    arriving = PidFile(path)
    really_open = arriving._open

    def open_then_lose() -> int:
        handle = really_open()
        leaving.release()
        return handle

    monkeypatch.setattr(arriving, "_open", open_then_lose)
    arriving.acquire()
    assert running_pid(path) == os.getpid()
    arriving.release()


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the pidfile .*; choose another with --pidfile"):
        PidFile(tmp_path / "none" / "pid").acquire()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigurationError, match="cannot read the pidfile"):
        running_pid(tmp_path / "loop")
