"""The id of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmimom.errors import StoreDamagedError
from rmimom.server.identity import FILE_NAME, read_or_make_server_id


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    made = read_or_make_server_id(tmp_path)
    assert read_or_make_server_id(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_each_directory_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert read_or_make_server_id(tmp_path) != read_or_make_server_id(tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 16, b"0123456789abcdef0"])
def test_anything_else_in_the_file_is_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StoreDamagedError, match="holds no server id"):
        read_or_make_server_id(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content
