"""Shells complete the words of rmimom-admin."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.admin import run_admin
from support.commands import run_command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    ended = run_admin("completion", shell, home=tmp_path)
    assert ended.exit_code == 0
    assert "_RMIMOM_ADMIN_COMPLETE" in ended.stdout


@pytest.mark.parametrize(
    ("words", "last", "wanted"),
    [
        ("rmimom-admin qu", 1, "plain,queue"),
        ("rmimom-admin queue p", 2, "plain,purge"),
        ("rmimom-admin queue ls --so", 3, "plain,--sort"),
        ("rmimom-admin queue ls --sort pend", 4, "plain,pending"),
    ],
)
def test_what_the_script_asks_for_is_answered(words: str, last: int, wanted: str, tmp_path: Path) -> None:
    ended = run_command(
        "rmimom.admin.cli",
        home=tmp_path,
        _RMIMOM_ADMIN_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(last),
    )
    assert wanted in ended.stdout.splitlines()
