"""docs/admin.md and the help of rmimom-admin agree, and every command keeps the rules of the house."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from support.command_table import BEGIN, END, command_table, commands, first_sentence, option_names

from rmimom.admin.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "admin.md"
COMMANDS = dict(commands(main))
# They give no facts of the server, or a form of their own that belongs to those who read it.
WITHOUT_JSON = {("completion",), ("export", "definitions"), ("export", "messages")}
LOOKS = {"ls", "show", "status", "warnings", "browse", "show-message", "trace", "top"}


def words(path: tuple[str, ...]) -> str:
    """How a command is called in the list of tests."""
    return " ".join(path)


def test_the_page_has_every_command_with_its_help(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = f"{head}{BEGIN}{command_table(main)}{END}{tail}"
    if request.config.getoption("--rewrite"):
        PAGE.write_text(wanted, encoding="utf-8")
        return
    assert text == wanted


def test_what_the_documents_call_exists() -> None:
    """Every `rmimom-admin …` in the documents names a command that there is."""
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")]
    call = re.compile(r"rmimom-admin ((?:--\w[\w-]* \S+ )*[a-z][a-z -]*)")
    called = [
        (document.name, found[1].split())
        for document in documents
        for found in call.finditer(document.read_text(encoding="utf-8"))
    ]
    assert len(called) > 20
    for name, given in called:
        left = list(given)
        while left and left[0].startswith("--"):
            left = left[2:]
        command: click.Command | None = main
        while left and isinstance(command, click.Group):
            word = left.pop(0)
            command = command.get_command(click.Context(command), word)
            assert command is not None, f"{name}: rmimom-admin {' '.join(given)}"


@pytest.mark.parametrize("path", COMMANDS, ids=words)
def test_help_says_what_it_does_and_shows_an_example(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert re.fullmatch(r"[A-Z].{10,300}[.?:]", first_sentence(command)), first_sentence(command)
    assert f"rmimom-admin {words(path)}" in (command.help or "") or "Example" in (command.help or "")
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "help":
            assert option.help, option.name
    assert len(option_names(command)) == len(set(option_names(command)))


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in WITHOUT_JSON], ids=words)
def test_what_is_found_can_be_had_as_json(path: tuple[str, ...]) -> None:
    options = {name for option in COMMANDS[path].params for name in option.opts}
    if path[0] == "check":
        assert "--format" in options
        return
    assert {"--json", "-o"} <= options
    if path[-1] in LOOKS and path[0] != "context":
        assert path[0] == "top" or "--watch" in options
