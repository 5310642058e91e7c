"""Reads which rows of the specification the tests in tests/spec prove, and writes docs/conformance.md from it.

The docstring of every such test ends with a line like this:

    Rows: M1, M14. Assertions: T:2, T:246.1. Section: 3.4.1.

`Assertions` is left out where the kit has none; ranges are written T:22-24 or T:246.1-11.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.jms_rows import AREAS, EXCEPTED, REQUIRED, Row, spread

LAST_LINE: Final = re.compile(
    r"Rows: (?P<rows>[A-Z]\d+(?:, [A-Z]\d+)*)\."
    r"(?: Assertions: (?P<assertions>T:[\d.]*\d(?:-\d+)?(?:, T:[\d.]*\d(?:-\d+)?)*)\.)?"
    r" Section: (?P<section>[\w.]*\w(?:, [\w.]*\w)*)\."
)
HOLE: Final = "**hole**"
HEAD: Final = """\
# Conformance to Jakarta Messaging 3.1

<!-- Written by `./go test tests/spec/test_conformance.py --rewrite`; change tests/spec or its rows instead. -->

Each row is a feature that the [specification](https://jakarta.ee/specifications/messaging/3.1/) requires of a
provider, with the tests that prove it against a real server, through the public interface. `T:n` is assertion
JMS:SPEC:n of the specification's compatibility kit. The kit itself is written against the Java interfaces and cannot be
run here, so this is our own account and no certificate.

Names follow Python: `JMSCorrelationID` is `message.correlation_id`, exceptions end in `Error`, durations are seconds.
NumberFormatException is ValueError, NullPointerException is TypeError.

Not done, and not counted:
"""
"""How the page begins; the rows and tests follow."""


@dataclass(frozen=True)
class Proof:
    """A test and what it says it proves; without rows if its docstring does not say so in the proper form."""

    file: str
    name: str
    rows: tuple[str, ...]
    assertions: tuple[str, ...]


def read_proofs(directory: Path) -> list[Proof]:
    """Every test in the files of the directory, in their order."""
    return [proof for path in sorted(directory.glob("test_*.py")) for proof in _proofs_of(path)]


def _proofs_of(path: Path) -> Iterator[Proof]:
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            lines = (ast.get_docstring(node) or "").splitlines()
            found = LAST_LINE.fullmatch(lines[-1]) if len(lines) > 2 and not lines[-2] else None
            if found is None:
                yield Proof(path.name, node.name, (), ())
            else:
                yield Proof(path.name, node.name, spread(found["rows"]), spread(found["assertions"] or ""))


def complaints(rows: Sequence[Row], proofs: Iterable[Proof]) -> list[str]:
    """What is wrong with the docstrings: no last line, no such row, an assertion that belongs to none of the rows."""
    known = {row.id: row for row in rows}
    found = []
    for proof in proofs:
        where = f"{proof.file}: {proof.name}"
        if not proof.rows:
            found.append(f"{where} has no docstring that ends in an empty line and 'Rows: ... Section: ...'")
        found += [f"{where}: there is no row {row}" for row in proof.rows if row not in known]
        allowed = {assertion for row in proof.rows if row in known for assertion in known[row].assertions}
        found += [f"{where}: {one} is not of its rows" for one in proof.assertions if one not in allowed]
    return found


def holes(rows: Iterable[Row], proofs: Sequence[Proof]) -> list[str]:
    """The rows, and assertions of rows, that have no test: "M16" or "M16 T:23"."""
    found = []
    for row in rows:
        mine = [proof for proof in proofs if row.id in proof.rows]
        if not mine:
            found.append(row.id)
        else:
            proved = {assertion for proof in mine for assertion in proof.assertions}
            found += [f"{row.id} {assertion}" for assertion in row.assertions if assertion not in proved]
    return found


def page(rows: Sequence[Row], proofs: Sequence[Proof]) -> str:
    """The text of docs/conformance.md."""
    lines = [HEAD, *(f"- {name}: {why}" for name, why in EXCEPTED.items())]
    for letter, area in AREAS.items():
        lines += ["", f"## {area}", "", "| row | feature | section | assertions and their tests |", "|---|---|---|---|"]
        lines += [_line(row, proofs) for row in rows if row.id[0] == letter and row.level == REQUIRED]
    lines += [
        "",
        "## Not required",
        "",
        "What the specification leaves open, or does not know.",
        "",
        "| row | feature | section | assertions and their tests |",
        "|---|---|---|---|",
        *(_line(row, proofs) for row in rows if row.level != REQUIRED),
        "",
    ]
    return "\n".join(lines)


def _line(row: Row, proofs: Sequence[Proof]) -> str:
    mine = [proof for proof in proofs if row.id in proof.rows]
    parts = []
    for assertion in row.assertions:
        tests = [proof for proof in mine if assertion in proof.assertions]
        parts.append(f"{assertion} {_links(tests)}")
    rest = [proof for proof in mine if not set(proof.assertions) & set(row.assertions)]
    if rest or not parts:
        parts.append(_links(rest))
    return f"| {row.id} | {row.feature} | {row.section} | {'; '.join(parts)} |"


def _links(proofs: Sequence[Proof]) -> str:
    return ", ".join(f"[{_words(proof.name)}](../tests/spec/{proof.file})" for proof in proofs) or HOLE


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
