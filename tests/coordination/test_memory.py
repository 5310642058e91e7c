"""What a member remembers beside its log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.coordination import B, configuration

from rmimom.coordination.memory import FILE_NAME, Remembered, recall, remember
from rmimom.errors import StoreDamagedError


def test_a_new_server_remembers_nothing(tmp_path: Path) -> None:
    assert recall(tmp_path) == Remembered(None, None)


def test_what_was_remembered_last_is_recalled(tmp_path: Path) -> None:
    first = Remembered(configuration(1), None)
    second = Remembered(configuration(1), configuration(2, B))
    for what in (first, second, Remembered()):
        remember(tmp_path, what)
        assert recall(tmp_path) == what
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"held": 1}', b'{"held": {"number": 1}}', b'"\xff"', b"\0" * 100])
def test_damage_is_noticed(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    with pytest.raises(StoreDamagedError, match="does not hold the server's place") as caught:
        recall(tmp_path)
    assert caught.value.facts["path"] == str(tmp_path / FILE_NAME)


def test_the_file_and_its_name_are_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    sync = os.fsync

    def watch(handle: int) -> None:
        synced.append(sorted(file.name for file in tmp_path.iterdir()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    remember(tmp_path, Remembered())
    assert synced == [[FILE_NAME + ".new"], [FILE_NAME]]


def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Remembered(configuration(1), None)
    remember(tmp_path, before)

    def broken(handle: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="no space"):
        remember(tmp_path, Remembered(configuration(2), None))
    assert recall(tmp_path) == before
