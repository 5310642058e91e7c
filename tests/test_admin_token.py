"""The token that lets the administration tool in on the server's machine."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rmimom.admin_token import FILE_NAME, Token, read_token, remove_token, write_token

TOKEN = Token("PYRO:rmimom.Administration@127.0.0.1:1", "@local", "secret")


def test_it_is_read_as_it_was_written_and_only_its_owner_can(tmp_path: Path) -> None:
    write_token(tmp_path, TOKEN)
    write_token(tmp_path, TOKEN)  # over an old one
    assert read_token(tmp_path) == TOKEN
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_draft_that_a_crash_or_somebody_left_is_not_written_into(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / f"{FILE_NAME}.new").symlink_to(elsewhere)
    write_token(tmp_path, TOKEN)
    assert not elsewhere.exists()
    assert read_token(tmp_path) == TOKEN


def test_removing_twice_is_harmless(tmp_path: Path) -> None:
    write_token(tmp_path, TOKEN)
    remove_token(tmp_path)
    remove_token(tmp_path)
    assert read_token(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"uri": 1, "user": "", "password": ""}'])
def test_garbage_is_no_token(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert read_token(tmp_path) is None


def test_its_repr_keeps_the_secret() -> None:
    assert "secret" not in repr(TOKEN)
