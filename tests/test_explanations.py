"""Every code that somebody can be shown is explained, and docs/errors.md has all of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rmimom.errors import BY_NAME
from rmimom.explanations import EXPLANATIONS, find_explanation
from rmimom.listeners.http.problems import plain_problem

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
HEAD = """# Errors and warnings

<!-- Written by `./go test tests/test_explanations.py --rewrite` from rmimom/explanations.py. -->

The same codes come through every door: as `code` of the client library's exceptions ([api.md](api.md)), in STOMP's
ERROR frames, in HTTP's problem documents ([http-api.md](http-api.md)), and behind the error lines of `rmimom-admin`.
`rmimom-admin explain CODE` shows what stands here.
"""
TITLES = {"error": "Errors", "http": "Errors of HTTP alone", "warning": "Warnings of the administration"}


def page() -> str:
    """What docs/errors.md should hold."""
    parts = [HEAD]
    for source, title in TITLES.items():
        rows = [f"| `{one.code}` | {one.meaning} | {one.advice} |" for one in EXPLANATIONS if one.source == source]
        parts.append("\n".join([f"## {title}", "", "| code | meaning | what to do |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def warning_codes() -> set[str]:
    """The codes of all warnings, read from the rules."""
    tree = ast.parse((ROOT / "rmimom" / "listeners" / "http" / "warnings.py").read_text(encoding="utf-8"))
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Remark"
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def test_every_error_is_explained() -> None:
    assert {one.code for one in EXPLANATIONS if one.source == "error"} == {kind.code for kind in BY_NAME.values()}


def test_what_http_itself_says_is_explained() -> None:
    """Nothing there, a wrong method, and a mistake of ours: other refusals have codes of the tree."""
    found = {one.code for one in EXPLANATIONS if one.source == "http"}
    assert found == {plain_problem(status).code for status in (404, 405, 500)}


def test_every_warning_is_explained() -> None:
    assert len(warning_codes()) > 5
    assert {one.code for one in EXPLANATIONS if one.source == "warning"} == warning_codes()


def test_a_code_is_explained_once() -> None:
    codes = [one.code for one in EXPLANATIONS]
    assert len(codes) == len(set(codes))
    assert find_explanation("store-full") is not None
    assert find_explanation("nothing") is None


def test_the_page_has_all_of_them(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()
