"""The tests beside this one prove every required row of the specification, and docs/conformance.md says which does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.conformance import HOLE, Proof, complaints, holes, page, read_proofs
from support.jms_rows import AREAS, OURS, ROWS, Row, spread

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"
FILES = sorted(path for path in HERE.glob("*.py") if path != Path(__file__).resolve())


@pytest.fixture(scope="module")
def proofs() -> list[Proof]:
    return [proof for proof in read_proofs(HERE) if proof.file != Path(__file__).name]


def test_the_page_is_what_the_tests_say(proofs: list[Proof], request: pytest.FixtureRequest) -> None:
    written = page(ROWS, proofs)
    if request.config.getoption("--rewrite"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, (
        "write it again: ./go test tests/spec/test_conformance.py --rewrite"
    )


def test_every_test_says_what_it_proves(proofs: list[Proof]) -> None:
    assert complaints(ROWS, proofs) == []


def test_no_row_and_no_assertion_is_without_a_test(proofs: list[Proof]) -> None:
    assert holes(ROWS, proofs) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_tests_use_the_public_interface_only(path: Path) -> None:
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            used.add(node.module or "")
        elif isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
    inner = {module for module in used if module.startswith("rmimom.")}
    assert inner <= {"rmimom.aio"}


def test_rows_are_in_order_and_there_once() -> None:
    ids = [row.id for row in ROWS]
    letters = list(AREAS)
    assert ids == sorted(set(ids), key=lambda row: (letters.index(row[0]), int(row[1:])))


def test_a_hole_is_found_and_shown() -> None:
    rows = [Row("M1", "one", "1", ("T:1", "T:2")), Row("S1", "two", "2"), Row("P1", "three", "", (), OURS)]
    proofs = [Proof("test_one.py", "test_it_is_so", ("M1",), ("T:1",))]
    assert holes(rows, proofs) == ["M1 T:2", "S1", "P1"]
    written = page(rows, proofs).splitlines()
    assert f"| M1 | one | 1 | T:1 [it is so](../tests/spec/test_one.py); T:2 {HOLE} |" in written
    assert f"| S1 | two | 2 | {HOLE} |" in written


def test_a_docstring_that_says_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(
        'def test_a():\n    """Something.\n\n    Rows: M1. Assertions: T:1, T:3. Section: 3.4.1, 7.7.\n    """\n'
        'def test_b():\n    """Something.\n\n    Rows: M9. Section: API.\n    """\n'
        'def test_c():\n    """Something. Rows: M1. Section: 1."""\n'
        "def test_d():\n    pass\n"
        "def helper():\n    pass\n",
        encoding="utf-8",
    )
    found = read_proofs(tmp_path)
    assert [(proof.name, proof.rows, proof.assertions) for proof in found] == [
        ("test_a", ("M1",), ("T:1", "T:3")),
        ("test_b", ("M9",), ()),
        ("test_c", (), ()),
        ("test_d", (), ()),
    ]
    said = complaints([Row("M1", "one", "1", ("T:1",))], found)
    assert [text.partition(":")[2] for text in said] == [
        " test_a: T:3 is not of its rows",
        " test_b: there is no row M9",
        " test_c has no docstring that ends in an empty line and 'Rows: ... Section: ...'",
        " test_d has no docstring that ends in an empty line and 'Rows: ... Section: ...'",
    ]


def test_assertions_are_written_short() -> None:
    assert spread("T:2, T:22-24, T:246.9-11, T:7.1") == (
        "T:2", "T:22", "T:23", "T:24", "T:246.9", "T:246.10", "T:246.11", "T:7.1",
    )  # fmt: skip
    assert spread("") == ()
