"""Measurements: what parts add up to, and one through a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.admin import run_admin
from support.processes import start_server

from rmimom.admin.benching import _Part, outcome_of


def test_parts_add_up() -> None:
    produced = [_Part(100, 10.0, 12.0, []), _Part(50, 11.0, 15.0, [])]
    consumed = [_Part(3, 11.0, 16.0, [3_000_000, 1_000_000, 2_000_000]), _Part(0, 0.0, 0.0, [])]
    found = outcome_of(produced, consumed)
    assert (found.sent, found.received) == (150, 3)
    assert (found.send_rate, found.receive_rate) == (30.0, 0.6)
    assert found.latency == {"p50": 2.0, "p90": 3.0, "p99": 3.0, "p99.9": 3.0}
    assert found.longest == 3.0


def test_nothing_was_received() -> None:
    found = outcome_of([_Part(0, 1.0, 1.0, [])], [])
    assert (found.send_rate, found.receive_rate, found.latency["p50"], found.longest) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_a_real_server(tmp_path: Path, kind: str) -> None:
    with start_server(tmp_path / "data", "--http", "127.0.0.1:0") as server:
        options = (f"--{kind}", "--seconds", 0.5, "--rate", 50, "--consumers", 2, "--json")
        done = run_admin("--data", server.data, "bench", *options, home=tmp_path, RMIMOM_ADMIN_PASSWORD="")
        assert (done.exit_code, done.stderr) == (0, "")
        found = json.loads(done.stdout)
        assert found["sent"] > 0
        assert found["received"] == found["sent"] * (2 if kind == "topic" else 1)
        assert 0 < found["latency_ms"]["p50"] <= found["latency_most_ms"]
        left = run_admin("--data", server.data, kind, "ls", "--json", home=tmp_path, RMIMOM_ADMIN_PASSWORD="")
        assert json.loads(left.stdout) == []


def test_a_process_that_fails_is_told_of(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--http", "127.0.0.1:0") as server:
        login = tmp_path / "login"
        login.write_text("nobody:wrong")
        at = ("--data", server.data)
        variables = {"RMIMOM_ADMIN_PASSWORD": ""}
        # With a user defined, names and passwords count.
        added = run_admin(*at, "user", "add", "app", home=tmp_path, text="secret-word\n", **variables)
        assert added.exit_code == 0, added.stderr
        done = run_admin(*at, "bench", "--seconds", 0.2, "--login-file", login, home=tmp_path, **variables)
        assert done.exit_code == 1
        assert "the user name or the password is wrong" in done.stderr
