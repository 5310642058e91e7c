"""The script ./go with a Python that only writes down what it is asked to do: no network, no real environment."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Says yes to the question for its version, makes an environment of copies of itself, and notes everything else.
FAKE_PYTHON = """#!/bin/sh
case "$1 ${2:-}" in
    "-c "*) exit %(answer)d ;;
    "--version ") echo "Python 3.99" ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/rmimom" && echo "venv" >> calls ;;
    *) echo "$(basename "$0") $*" >> calls ;;
esac
"""

Go = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script, the two files it watches, and no Python on its PATH yet."""
    project = tmp_path / "my project"
    project.mkdir()
    shutil.copy(ROOT / "go", project / "go")
    (project / "setup.cfg").write_text("[metadata]\n")
    (project / "pyproject.toml").write_text("")
    tools = project / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cmp", "rm", "mkdir", "cp", "dirname", "basename"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    return project


@pytest.fixture
def go(project: Path) -> Go:
    """Call the script from elsewhere, as people do."""

    def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [project / "go", *arguments],
            cwd=project.parent,
            env={"PATH": str(project / "tools"), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


def add_python(project: Path, name: str, *, new_enough: bool) -> Path:
    """Put a pretended Python on the PATH."""
    python = project / "tools" / name
    python.write_text(FAKE_PYTHON % {"answer": 0 if new_enough else 1})
    python.chmod(0o755)
    return python


def calls(project: Path) -> list[str]:
    """What the Python was asked to do since the last question."""
    file = project / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.write_text("")
    return lines


def pip(extras: str) -> str:
    """The call that installs."""
    return f"python -m pip install --quiet --disable-pip-version-check --no-input --editable .{extras}"


def test_the_demo_is_set_up_once_and_gets_its_arguments(project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=True)
    first = go("demo", "--speed", "two words")
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr.splitlines() == [
        "go: making .venv with Python 3.99",
        "go: installing rmimom, once; this takes a minute",
    ]
    assert calls(project) == ["venv", pip(""), "rmimom demo --speed two words"]
    second = go("demo")
    assert (second.returncode, second.stderr) == (0, "")
    assert calls(project) == ["rmimom demo"]


def test_the_tests_need_more_and_the_demo_does_not_take_it_away(project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=True)
    go("demo")
    calls(project)
    assert 'with what "test" needs' in go("test", "-k", "x").stderr
    assert calls(project) == [pip("[test]"), "python -m pytest -k x"]
    go("demo")
    go("test")
    assert calls(project) == ["rmimom demo", "python -m pytest"]
    go("dev")
    go("test")
    assert calls(project) == [pip("[dev]"), "python -m pytest"]


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml"])
def test_a_change_of_what_to_install_installs_again(name: str, project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=True)
    go("demo")
    calls(project)
    with (project / name).open("a") as file:
        file.write("# more\n")
    go("demo")
    assert calls(project) == [pip(""), "rmimom demo"]


def test_a_project_that_was_moved_installs_again(project: Path, go: Go) -> None:
    # The programs in .venv/bin hold the path of their Python.
    add_python(project, "python3", new_enough=True)
    go("demo")
    calls(project)
    elsewhere = project.rename(project.parent / "elsewhere")
    subprocess.run([elsewhere / "go", "demo"], env={"PATH": str(elsewhere / "tools")}, check=True, timeout=60)
    assert calls(elsewhere) == [pip(""), "rmimom demo"]


def test_an_old_python_is_passed_over(project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=False)
    add_python(project, "python3.12", new_enough=True)
    assert go("demo").returncode == 0
    assert calls(project)[-1] == "rmimom demo"


def test_no_python_at_all(project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=False)
    run = go("demo")
    assert run.returncode == 1
    assert run.stderr.startswith("go: no Python 3.11 or newer (with the module venv) was found on PATH")
    assert not (project / ".venv").exists()


def test_the_python_that_was_named_is_the_one(project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=True)
    named = add_python(project, "mine", new_enough=False)
    run = go("demo", PYTHON=str(named))
    assert run.returncode == 1
    assert f"PYTHON={named} is not a Python 3.11 or newer" in run.stderr


def test_a_failed_installation_is_an_error_and_is_tried_again(project: Path, go: Go) -> None:
    python = add_python(project, "python3", new_enough=True)
    good = python.read_text()
    python.write_text(good.replace("    *)", '    "-m pip") exit 1 ;;\n    *)'))
    run = go("test")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "go: the installation failed, see above"
    assert calls(project) == ["venv"]
    (project / ".venv" / "bin" / "python").write_text(good)
    assert go("test").returncode == 0
    assert calls(project) == [pip("[test]"), "python -m pytest"]


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("nonsense",), 2), (("help",), 0), (("--help",), 0)])
def test_it_explains_itself(arguments: tuple[str, ...], code: int, project: Path, go: Go) -> None:
    run = go(*arguments)
    assert run.returncode == code
    assert "usage: ./go COMMAND" in run.stdout + run.stderr
    assert not (project / ".venv").exists()


def test_an_unknown_program_is_an_error(project: Path, go: Go) -> None:
    add_python(project, "python3", new_enough=True)
    assert go("run", "rmimom", "x").returncode == 0
    run = go("run", "nothing")
    assert run.returncode == 1
    assert run.stderr == "go: there is no program nothing in .venv/bin\n"
