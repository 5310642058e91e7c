"""A small file system is full when it is filled, and has room again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rmimom_chaos.small_disk import SmallDisk

MISSING = SmallDisk.missing()


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_not_a_byte_is_left(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path)
    try:
        (tmp_path / "before").write_bytes(b"data")
        disk.fill()
        with pytest.raises(OSError, match="No space") as caught:
            (tmp_path / "after").write_bytes(b"data")
        assert caught.value.errno == errno.ENOSPC
        disk.make_room()
        (tmp_path / "after").write_bytes(b"data")
        assert (tmp_path / "before").read_bytes() == b"data"
    finally:
        disk.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert SmallDisk.missing() == "mounting a small file system needs root"
