"""The doctor at real servers."""

from __future__ import annotations

import json
from pathlib import Path

from support.admin import run_admin
from support.commands import free_port
from support.processes import start_name_server, start_server


def _healths(out: str) -> dict[str, str]:
    return {row["subject"]: row["health"] for row in json.loads(out)}


def test_a_server_that_is_well_and_one_that_lost_its_name_server(tmp_path: Path) -> None:
    with (
        start_name_server() as names,
        start_server(tmp_path / "data", "--http", "127.0.0.1:0", nameserver=names.location) as server,
    ):
        well = run_admin("--data", server.data, "doctor", "--json", home=tmp_path, RMIMOM_ADMIN_PASSWORD="")
        assert set(_healths(well.stdout).values()) == {"ok"}, well.stdout
        assert (well.exit_code, well.stderr) == (0, "")
        assert {"server", "clock", "address", "port", "name server", "disk", "files"} <= set(_healths(well.stdout))
        names.kill()
        ill = run_admin("--data", server.data, "doctor", home=tmp_path, RMIMOM_ADMIN_PASSWORD="")
        assert ill.exit_code == 2
        assert "FAIL  name server: no name server answers at" in ill.stdout
        assert "ok    port:" in ill.stdout


def test_no_server_at_all(tmp_path: Path) -> None:
    away = run_admin("--url", f"127.0.0.1:{free_port()}", "doctor", home=tmp_path)
    assert away.exit_code == 2
    assert away.stdout.startswith("FAIL  server: no server answers at http://127.0.0.1:")
