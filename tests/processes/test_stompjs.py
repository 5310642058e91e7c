"""@stomp/stompjs, unchanged, over WebSocket against a real server, in Node.js."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.foreign import node_packages
from support.processes import TIME_LIMIT, ServerProcess, start_server

SCRIPT = Path(__file__).with_name("stompjs.mjs")
SCENARIOS = [
    "queue",
    "topic",
    "acknowledgements",
    "transactions",
    "selectors",
    "durable",
    "heartbeats",
    "errors",
]


@pytest.fixture(scope="module")
def modules() -> Path:
    return node_packages("@stomp/stompjs@7.1.1", "ws@8.18.3")


@pytest.fixture(scope="module")
def server(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("js") / "data", "--stomp-ws", "127.0.0.1:0") as running:
        yield running


def command(modules: Path, port: int, scenario: str) -> list[str]:
    return ["node", str(SCRIPT), str(modules), f"ws://127.0.0.1:{port}/stomp", scenario]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, modules: Path, server: ServerProcess) -> None:
    port = server.stomp_ws_port
    done = subprocess.run(
        command(modules, port, scenario), capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr + server.log


def test_it_finds_a_server_that_was_killed_and_started_again(modules: Path, tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--stomp-ws", "127.0.0.1:0") as server:
        port = server.stomp_ws_port
        client = subprocess.Popen(
            command(modules, port, "reconnect"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
            server.kill()
            with start_server(tmp_path / "data", "--stomp-ws", f"127.0.0.1:{port}"):
                out, errors = client.communicate(timeout=TIME_LIMIT)
            assert client.returncode == 0, out + errors
        finally:
            client.kill()
            client.wait()
