"""What waits for a standby: in order, in memory first, in a file without a name after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmimom.coordination.backlog import Backlog

PARTS = [bytes([number]) * (1 + number % 7) for number in range(60)]


@pytest.mark.parametrize("in_memory", [1, 10, 40, 10_000])
@pytest.mark.parametrize("size", [1, 9, 100_000])
def test_everything_comes_out_once_and_in_order(tmp_path: Path, in_memory: int, size: int) -> None:
    backlog = Backlog(tmp_path, in_memory)
    taken: list[bytes] = []
    for count, part in enumerate(PARTS):
        backlog.append(part)
        if count % 5 == 4:  # sometimes before the file is read to its end, sometimes after
            taken += backlog.take(size)
        assert len(backlog) == count + 1 - len(taken)
    while backlog:
        taken += backlog.take(size)
    assert taken == PARTS
    assert backlog.take(size) == []
    backlog.close()


def test_about_as_much_as_is_asked_for_is_taken(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path)
    for part in (b"four", b"four", b"four"):
        backlog.append(part)
    assert backlog.take(5) == [b"four", b"four"]
    assert backlog.take(1) == [b"four"]


def test_a_part_that_is_larger_than_the_memory_waits_alone(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "is not there", in_memory=2)
    backlog.append(b"large")
    assert backlog.take(1) == [b"large"]


def test_the_file_has_no_name(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path, in_memory=2)
    for part in PARTS:
        backlog.append(part)
    assert list(tmp_path.iterdir()) == []
    backlog.close()


def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "is not there", in_memory=2)
    backlog.append(b"ab")
    with pytest.raises(OSError, match="is not there"):
        backlog.append(b"c")


def test_memory_is_used_again_when_the_file_is_empty(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path, in_memory=2)
    backlog.append(b"ab")
    backlog.append(b"c")
    assert backlog.take(100) == [b"ab", b"c"]
    backlog._directory = tmp_path / "is not there"
    backlog.append(b"de")
    assert backlog.take(100) == [b"de"]


def test_closing_lets_go_of_the_file_and_twice_is_harmless(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path, in_memory=2)
    backlog.append(b"ab")
    backlog.append(b"c")
    backlog.close()
    backlog.close()
    assert backlog.take(100) == [b"ab"]
    assert len(backlog) == 0
