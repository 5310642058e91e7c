"""The rules of the house (docs/design/0001): floors, no cycles, nothing dead, all installed, all explained.

Each rule is a function from a tree of files to a list of complaints.  It is asked twice: about the project, which must
give it nothing to complain of, and about a small tree with one violation planted, which it must find.
"""

from __future__ import annotations

import ast
import configparser
import graphlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each folder and the name under which it is imported.
FOLDERS = {"rmimom": "rmimom", "nameserver": "rmimom.nameserver", "admin": "rmimom.admin"}
# The door: it names the public things and loads them when they are asked for, so anybody may import it.
DOOR = "rmimom"
# What programs import beside it.
SECOND_DOOR = "rmimom.aio"
TOP_FLOOR = 6
# Those who live beside the floors: what they may use of the house, and who may use them.
BESIDE: Mapping[str, tuple[int, frozenset[str]]] = {
    "rmimom.client": (1, frozenset()),
    "rmimom.nameserver": (1, frozenset()),
    "rmimom.admin": (1, frozenset({"rmimom.client"})),
    "rmimom.aio": (1, frozenset({"rmimom.client"})),
}


@dataclass
class Module:
    """One source file and what it imports of the project."""

    name: str
    is_package: bool
    has_docstring: bool
    runtime: set[str] = field(default_factory=set)
    typing: set[str] = field(default_factory=set)

    @property
    def imports(self) -> set[str]:
        """Everything it names, to run or to be checked."""
        return self.runtime | self.typing


@dataclass
class House:
    """A project tree: its modules by name, its floors, and what setup.cfg says."""

    modules: dict[str, Module]
    floors: dict[str, int]
    packages: set[str]
    entry_points: set[str]

    def floor_of(self, module: str) -> int | None:
        """The floor of a module: that of the longest entry it falls under."""
        found = [entry for entry in self.floors if is_within(module, entry)]
        return self.floors[max(found, key=len)] if found else None


def is_within(module: str, package: str) -> bool:
    """Whether the module is the package or stands in it."""
    return module == package or module.startswith(package + ".")


def beside(module: str) -> str | None:
    """Which of those beside the floors a module belongs to."""
    return next((name for name in BESIDE if is_within(module, name)), None)


def read_house(root: Path) -> House:
    """Read a project tree."""
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg", encoding="utf-8")
    scripts = setup["options.entry_points"]["console_scripts"].split("\n")
    entry_points = {line.partition("=")[2].partition(":")[0].strip() for line in scripts if line}
    # What is installed beside the house, the harness of tests/chaos, uses it from outside.
    return House(
        modules=read_modules(root),
        floors=read_floors(root / "docs" / "design" / "0001-the-house.md"),
        packages={name for name in setup["options"]["packages"].split() if is_within(name, DOOR)},
        entry_points={module for module in entry_points if is_within(module, DOOR)},
    )


def read_floors(file: Path) -> dict[str, int]:
    """The table of floors as the design tells it: rows like ``| 3 | `store/*` |``."""
    floors = {}
    for row in re.finditer(r"^\| (\d) \| (.*) \|$", file.read_text(encoding="utf-8"), re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row[2]):
            floors["rmimom." + name.removesuffix("/*").replace("/", ".")] = int(row[1])
    return floors


def read_modules(root: Path) -> dict[str, Module]:
    """Every module of the three folders with its imports."""
    found: dict[str, tuple[Module, ast.Module]] = {}
    for folder, prefix in FOLDERS.items():
        # rglob does not go into links, so rmimom/nameserver and rmimom/admin are read once, where they really stand.
        for path in sorted((root / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
            name = ".".join([prefix, *path.relative_to(root / folder).with_suffix("").parts])
            is_package = name.endswith(".__init__")
            name = name.removesuffix(".__init__")
            found[name] = (Module(name, is_package, ast.get_docstring(tree) is not None), tree)
    for module, tree in found.values():
        for node, typing_only in walk(tree):
            target = module.typing if typing_only else module.runtime
            target.update(imported(node, module, set(found)))
    return {name: module for name, (module, _) in found.items()}


def walk(node: ast.AST, typing_only: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, and whether it stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        yield child, typing_only
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for statement in child.body:
                yield statement, True
                yield from walk(statement, True)
            for statement in child.orelse:
                yield statement, typing_only
                yield from walk(statement, typing_only)
        else:
            yield from walk(child, typing_only)


def imported(node: ast.AST, module: Module, known: set[str]) -> Iterator[str]:
    """The modules of the project that an import statement names."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if is_within(alias.name, "rmimom"):
                yield alias.name
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = module.name.split(".")
            keep = len(parts) - node.level + module.is_package
            base = ".".join([*parts[:keep], *([base] if base else [])])
        if is_within(base, "rmimom"):
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in known else base


def floors(house: House) -> list[str]:
    """A module imports from its own floor or below; those beside the floors keep to theirs."""
    complaints = []
    for module in house.modules.values():
        if module.name == DOOR:
            complaints += [f"{DOOR} imports {name} before anybody asked for it" for name in sorted(module.runtime)]
            continue
        home, floor = beside(module.name), house.floor_of(module.name)
        if home is None and floor is None:
            complaints.append(f"{module.name} has no floor; give it one in docs/design/0001-the-house.md")
            continue
        for name in sorted(module.imports - {DOOR}):
            if name not in house.modules:
                complaints.append(f"{module.name} imports {name}, which does not exist")
            elif not may_import(house, module.name, name):
                complaints.append(f"{module.name} ({home or floor}) may not import {name}")
    return complaints


def may_import(house: House, module: str, name: str) -> bool:
    """Whether the rules let one module import another."""
    home, their_home = beside(module), beside(name)
    if their_home is not None:
        if home is not None:
            return their_home == home or their_home in BESIDE[home][1]
        return house.floor_of(module) == TOP_FLOOR
    reach = BESIDE[home][0] if home is not None else house.floor_of(module)
    theirs = house.floor_of(name)
    # A package without a floor of its own, such as one that only holds others, has nothing in it to reach for.
    return theirs is None or (reach is not None and theirs <= reach)


def cycles(house: House) -> list[str]:
    """No module needs itself, by whatever way round; what only type checkers read does not count."""
    graph = {name: module.runtime & set(house.modules) - {DOOR} for name, module in house.modules.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1][:0:-1]
        first = circle.index(min(circle))
        circle = circle[first:] + circle[:first]
        return ["cycle: " + " -> ".join([*circle, circle[0]])]
    return []


def dead_modules(house: House) -> list[str]:
    """Every module is reached from a command, from `python -m`, or from the public names."""
    waiting = [DOOR, SECOND_DOOR, *house.entry_points, *(name for name in house.modules if name.endswith(".__main__"))]
    alive: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in alive or name not in house.modules:
            continue
        alive.add(name)
        waiting += house.modules[name].imports
        waiting.append(name.rpartition(".")[0])
    return [f"nobody uses {name}" for name in sorted(house.modules.keys() - alive)]


def commands(house: House) -> list[str]:
    """Every command of setup.cfg has its module."""
    return [f"a command wants {name}, which does not exist" for name in sorted(house.entry_points - set(house.modules))]


def docstrings(house: House) -> list[str]:
    """Every module says what it is."""
    return [f"{module.name} has no docstring" for module in house.modules.values() if not module.has_docstring]


def packages(house: House) -> list[str]:
    """The list in setup.cfg is what stands on the disk; setuptools cannot find mapped folders by itself."""
    on_disk = {module.name for module in house.modules.values() if module.is_package}
    without_init = {module.name.rpartition(".")[0] for module in house.modules.values()} - on_disk - {""}
    complaints = [f"{name} has no __init__.py" for name in sorted(without_init)]
    complaints += [f"{name} is not listed in setup.cfg" for name in sorted(on_disk - house.packages)]
    return complaints + [f"{name} of setup.cfg does not exist" for name in sorted(house.packages - on_disk)]


Rule = Callable[[House], list[str]]
RULES: list[Rule] = [floors, cycles, dead_modules, commands, docstrings, packages]


@pytest.fixture(scope="module")
def house() -> House:
    """The project itself."""
    return read_house(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule, house: House) -> None:
    assert rule(house) == []


# A house that keeps every rule, and uses what they allow: imports downwards and sideways, one that only type checkers
# see and that would close a circle, one inside a function, the door from below.
GOOD = {
    "setup.cfg": """
[options]
packages =
    rmimom
    rmimom.client
    rmimom.core
    rmimom.nameserver
    rmimom.admin
[options.entry_points]
console_scripts =
    rmimom-server = rmimom.server:main
    rmimom-ns = rmimom.nameserver.cli:main
    rmimom-admin = rmimom.admin.cli:main
""",
    "docs/design/0001-the-house.md": """
| floor | modules |
|---|---|
| 6 | `server` (assembly) |
| 4 | `engine` |
| 2 | `core/*` (pure) |
| 1 | `wire` |
| 0 | `errors`, `clock` |
""",
    "rmimom/__init__.py": "'''d'''\nif TYPE_CHECKING:\n    from rmimom.client.session import Session\n",
    "rmimom/errors.py": "'''d'''\nif TYPE_CHECKING:\n    from rmimom.clock import Clock\n",
    "rmimom/clock.py": "'''d'''\nfrom rmimom.errors import JMSError\n",
    "rmimom/wire.py": "'''d'''\nimport json\nfrom rmimom import __version__\n",
    "rmimom/core/__init__.py": "'''d'''\n",
    "rmimom/core/queue.py": "'''d'''\nfrom rmimom import clock\nfrom rmimom.core import topic\n",
    "rmimom/core/topic.py": "'''d'''\n",
    "rmimom/engine.py": "'''d'''\nfrom rmimom.core.queue import Queue\n",
    "rmimom/server.py": "'''d'''\nimport rmimom.engine\ndef main():\n    from rmimom.nameserver.cli import main\n",
    "rmimom/client/__init__.py": "'''d'''\n",
    "rmimom/client/session.py": "'''d'''\nfrom rmimom.wire import Frame\n",
    "nameserver/__init__.py": "'''d'''\n",
    "nameserver/cli.py": "'''d'''\nfrom rmimom.errors import JMSError\n",
    "admin/__init__.py": "'''d'''\n",
    "admin/cli.py": "'''d'''\nfrom rmimom.client.session import Session\n",
}


def build(root: Path, files: Mapping[str, str | None]) -> House:
    """Write a tree, with some files in place of the good ones (None: without that file), and read it."""
    for name, text in {**GOOD, **files}.items():
        if text is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    (root / "rmimom" / "nameserver").symlink_to("../nameserver")
    (root / "rmimom" / "admin").symlink_to("../admin")
    return read_house(root)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_house_gives_no_complaint(rule: Rule, tmp_path: Path) -> None:
    assert rule(build(tmp_path, {})) == []


PLANTED: list[tuple[Rule, dict[str, str | None], list[str]]] = [
    (
        floors,
        {"rmimom/core/topic.py": "'''d'''\nfrom rmimom.engine import Engine\n"},
        ["rmimom.core.topic (2) may not import rmimom.engine"],
    ),
    (
        floors,
        {"rmimom/core/topic.py": "'''d'''\nif TYPE_CHECKING:\n    import rmimom.engine\n"},
        ["rmimom.core.topic (2) may not import rmimom.engine"],
    ),
    (
        floors,
        {"rmimom/core/topic.py": "'''d'''\ndef late():\n    from .. import engine\n"},
        ["rmimom.core.topic (2) may not import rmimom.engine"],
    ),
    (
        floors,
        {"rmimom/client/session.py": "'''d'''\nfrom rmimom.core.queue import Queue\n"},
        ["rmimom.client.session (rmimom.client) may not import rmimom.core.queue"],
    ),
    (
        floors,
        {"rmimom/engine.py": "'''d'''\nfrom rmimom.nameserver import cli\n"},
        ["rmimom.engine (4) may not import rmimom.nameserver.cli"],
    ),
    (
        floors,
        {"rmimom/engine.py": "'''d'''\nfrom rmimom.client import session\n"},
        ["rmimom.engine (4) may not import rmimom.client.session"],
    ),
    (
        floors,
        {"nameserver/cli.py": "'''d'''\nfrom rmimom.admin import cli\n"},
        ["rmimom.nameserver.cli (rmimom.nameserver) may not import rmimom.admin.cli"],
    ),
    (
        floors,
        {"admin/cli.py": "'''d'''\nfrom rmimom import server\n"},
        ["rmimom.admin.cli (rmimom.admin) may not import rmimom.server"],
    ),
    (
        floors,
        {"rmimom/odd.py": "'''d'''\n"},
        ["rmimom.odd has no floor; give it one in docs/design/0001-the-house.md"],
    ),
    (
        floors,
        {"rmimom/engine.py": "'''d'''\nimport rmimom.gone\n"},
        ["rmimom.engine imports rmimom.gone, which does not exist"],
    ),
    (
        floors,
        {"rmimom/__init__.py": "'''d'''\nfrom rmimom.client.session import Session\n"},
        ["rmimom imports rmimom.client.session before anybody asked for it"],
    ),
    (
        cycles,
        {"rmimom/core/topic.py": "'''d'''\ndef late():\n    from rmimom.core.queue import Queue\n"},
        ["cycle: rmimom.core.queue -> rmimom.core.topic -> rmimom.core.queue"],
    ),
    (dead_modules, {"rmimom/core/old.py": "'''d'''\nimport rmimom.core.queue\n"}, ["nobody uses rmimom.core.old"]),
    (
        dead_modules,
        {"rmimom/__init__.py": "'''d'''\n", "admin/cli.py": "'''d'''\n"},
        ["nobody uses rmimom.client", "nobody uses rmimom.client.session", "nobody uses rmimom.wire"],
    ),
    (commands, {"nameserver/cli.py": None}, ["a command wants rmimom.nameserver.cli, which does not exist"]),
    (docstrings, {"rmimom/wire.py": "import json\n"}, ["rmimom.wire has no docstring"]),
    (
        packages,
        {"rmimom/core/__init__.py": None},
        ["rmimom.core has no __init__.py", "rmimom.core of setup.cfg does not exist"],
    ),
    (packages, {"nameserver/more/__init__.py": "'''d'''\n"}, ["rmimom.nameserver.more is not listed in setup.cfg"]),
]


@pytest.mark.parametrize(("rule", "files", "complaints"), PLANTED)
def test_a_planted_violation_is_found(
    rule: Rule, files: dict[str, str | None], complaints: list[str], tmp_path: Path
) -> None:
    assert rule(build(tmp_path, files)) == complaints


def test_the_design_names_floors() -> None:
    # If the table changed its form, every module would lose its floor; this says so more plainly.
    found = read_floors(ROOT / "docs" / "design" / "0001-the-house.md")
    assert set(found.values()) == set(range(TOP_FLOOR + 1))
    assert found["rmimom.errors"] == 0
