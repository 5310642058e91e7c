"""Recorded conversations with rmimom-admin; run with --rewrite after a change and read the difference."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.admin import desk

FILES = sorted(Path(__file__).with_name("golden").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_commands_show_what_is_recorded(file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    recorded = file.read_text(encoding="utf-8")
    with desk(tmp_path) as at:
        shown = at.script(recorded)
    if request.config.getoption("--rewrite"):
        file.write_text(shown, encoding="utf-8")
    assert shown == recorded or request.config.getoption("--rewrite")


def test_a_changed_answer_is_noticed(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        assert at.script("$ rmimom-admin queue ls\nthere are many queues\n") == (
            "$ rmimom-admin queue ls\nthere are no queues\n"
        )
