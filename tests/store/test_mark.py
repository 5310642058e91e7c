"""Mark."""

from __future__ import annotations

import os

import pytest

from rmimom.store.mark import Mark


def test_it_keeps_the_last_sequence(tmp_path):
    mark = Mark(tmp_path / "mark")
    assert mark.read() == 0
    mark.open()
    assert mark.read() == 0
    for sequence in (1, 99, 12_345_678_901):
        mark.write(sequence)
        assert Mark(tmp_path / "mark").read() == sequence
    mark.close()
    mark.close()


@pytest.mark.parametrize("content", [b"", b"\n", b"-5\n", b"12x\n", b"\xff\xfe"])
def test_what_cannot_be_read_proves_nothing(tmp_path, content):
    (tmp_path / "mark").write_bytes(content)
    assert Mark(tmp_path / "mark").read() == 0


def test_failing_to_write_is_passed_over(tmp_path, monkeypatch):
    """The batch it speaks of is committed."""
    mark = Mark(tmp_path / "mark")
    mark.open()
    mark.write(5)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        mark.write(6)
    assert mark.read() == 5
    mark.close()
