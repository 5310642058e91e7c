"""The live picture, looked at a few times."""

from __future__ import annotations

import json
from pathlib import Path

from support.admin import desk


def test_looks_below_one_another_and_the_last_one_for_programs(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        assert at.run("send", "orders", "x", "--count", 3).exit_code == 0
        assert at.run("queue", "create", "bills").exit_code == 0
        shown = at.run("top", "--times", 2, "--interval", 0.2)
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert shown.stdout.count("3 messages pending") == 2
        lines = [line.split() for line in shown.stdout.splitlines() if line.startswith("queue")]
        assert lines[:2] == [["queue", "orders", "3", "0", "0", "0"], ["queue", "bills", "0", "0", "0", "0"]]
        rows = json.loads(at.run("top", "--interval", 0.2, "--json", "--filter", "bil").stdout)
        assert [row["name"] for row in rows] == ["bills"]
        assert rows[0].keys() == {"kind", "name", "pending", "consumers", "in_per_second", "out_per_second"}
