"""What is installed, and what it promises: one import name beside the harness's, one list of public names."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rmimom

ROOT = Path(__file__).resolve().parent.parent


def test_the_product_has_one_import_name_and_the_harness_another() -> None:
    distribution = importlib.metadata.distribution("rmimom")
    assert (distribution.read_text("top_level.txt") or "").split() == ["rmimom", "rmimom_chaos"]


def test_the_version_is_said_once() -> None:
    assert importlib.metadata.version("rmimom") == rmimom.__version__


@pytest.mark.parametrize("name", rmimom.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    value = getattr(rmimom, name)
    assert value.__module__.startswith("rmimom.")
    assert value.__doc__


def test_type_checkers_see_the_same_names_as_programs() -> None:
    tree = ast.parse((ROOT / "rmimom" / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    for_checkers = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for_programs = {(module, name) for module, names in rmimom._HOMES.items() for name in names}
    assert for_checkers == for_programs
    assert sorted(name for _, name in for_programs) == sorted(rmimom.__all__)


def test_importing_the_door_loads_nothing_of_the_house() -> None:
    script = (
        "import sys, rmimom; print([name for name in sys.modules if name.startswith(('rmimom.', 'Pyro5', 'rich'))])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'rmimom' has no attribute 'Unknown'"):
        _ = rmimom.Unknown
    with pytest.raises(ImportError, match="cannot import name 'Unknown'"):
        exec("from rmimom import Unknown", {})


def test_dir_names_what_is_public() -> None:
    assert set(rmimom.__all__) <= set(dir(rmimom))


def documented_names(text: str) -> set[str]:
    """The names that have a heading of their own in docs/api.md, such as ``### `Session` ``."""
    return set(re.findall(r"^#{2,4} `(?:class )?([A-Za-z_]\w*)(?:\([^`]*\))?`", text, re.MULTILINE))


def test_documented_names_are_found_in_headings() -> None:
    text = "# API\n## Connections\n### `Session`\nits `Topic`\n### `connect(host, port)`\n#### `close()`\n"
    assert documented_names(text) == {"Session", "connect", "close"}


def test_the_public_names_are_the_documented_ones() -> None:
    file = ROOT / "docs" / "api.md"
    assert documented_names(file.read_text(encoding="utf-8")) == set(rmimom.__all__)


def test_licence_and_data_are_where_setup_cfg_says() -> None:
    files = {str(file) for file in importlib.metadata.files("rmimom") or ()}
    assert any(name.endswith("LICENSE") for name in files)
    assert (Path(rmimom.__file__).parent / "demo" / "data" / "earthquakes.jsonl").is_file()
    assert (Path(rmimom.__file__).parent / "py.typed").is_file()
