"""What is printed at the end."""

from __future__ import annotations

import json

import pytest

from rmimom.demo.outcome import Outcome
from rmimom.demo.tally import made_row
from rmimom.demo.view import View

OUTCOME = Outcome("A week", [made_row("archive (durable)", 1706, 1707)], 0.6434, "two", "two")


def printed(as_json: bool, outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    """What the view prints when all is over."""
    with View(1707, 85, as_json) as view:
        pass
    view.close(outcome)
    return capsys.readouterr().out


def cells(output: str, name: str) -> list[str]:
    """The cells of the row with this name."""
    [line] = [line for line in output.splitlines() if name in line]
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_the_table_tells_what_is_wrong_who_is_active_and_the_pause(capsys: pytest.CaptureFixture[str]) -> None:
    output = printed(False, OUTCOME, capsys)
    assert cells(output, "archive (durable)") == ["1,706", "1,707", "0", "WRONG"]
    assert cells(output, "active at the end") == ["two", "two", "", "right"]
    assert cells(output, "pause from the kill") == ["643 ms", "", "", ""]


def test_that_nobody_is_active_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    output = printed(False, Outcome("A week", [], 0.0, "", "two"), capsys)
    assert cells(output, "active at the end") == ["nobody", "two", "", "WRONG"]


def test_json_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(True, OUTCOME, capsys))
    assert found == {
        "ok": False,
        "rows": [{"name": "archive (durable)", "seen": 1706, "expected": 1707, "duplicates": 0, "ok": False}],
        "pause_ms": 643,
        "active": "two",
        "active_must_be": "two",
    }
