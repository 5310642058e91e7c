"""The documents are true: their programs run against a real server, their links lead somewhere, commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, clean_environment, start_name_server, start_server

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
]


def name(document: Path) -> str:
    """How a document is called in the list of tests."""
    return document.relative_to(ROOT).as_posix()


def programs(text: str) -> list[str]:
    """The Python programs of a document: blocks fenced as `python`."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def links(text: str) -> set[str]:
    """The files that a document links to."""
    without_code = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", without_code)
    return {link for link in found if not re.match(r"[a-z]+:", link)}


def run_program(program: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as its reader would, beside a server of its own."""
    file = directory / "program.py"
    file.write_text(program, encoding="utf-8")
    with start_name_server() as names, start_server(directory / "data", nameserver=names.location):
        return subprocess.run(
            [sys.executable, "-W", "error", file],
            env=clean_environment(directory, RMIMOM_NAMESERVER=names.location),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )


def test_programs_and_links_are_found() -> None:
    text = "[a](b.md#part) [c](https://example.org) `[d](e)`\n```python\nprint()\n```\n```sh\nls [f](g)\n```\n"
    assert programs(text) == ["print()\n"]
    assert links(text) == {"b.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert sorted(link for link in links(text) if not (document.parent / link).exists()) == []


@pytest.mark.parametrize(
    "document", [document for document in DOCUMENTS if programs(document.read_text(encoding="utf-8"))], ids=name
)
def test_programs_run(document: Path, tmp_path: Path) -> None:
    # The blocks of one document are one program: a later one may use what an earlier one made.
    run = run_program("\n".join(programs(document.read_text(encoding="utf-8"))), tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    if document.name == "README.md":
        assert run.stdout == "M 5.1, Alaska\n"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for command in set(re.findall(r"(?<![\w./-])rmimom-[a-z]+\b", "\n".join(re.findall(r"`([^`\n]+)`", text)))):
        assert f"\n    {command} = " in setup, f"there is no command {command}"
    for word in set(re.findall(r"\./go (\w+)", text)):
        assert re.search(rf"^    {word}\)", (ROOT / "go").read_text(encoding="utf-8"), re.MULTILINE), word
    for word in set(re.findall(r"`make (\w+)`", text)):
        assert f"\n{word}:" in (ROOT / "Makefile").read_text(encoding="utf-8"), word
