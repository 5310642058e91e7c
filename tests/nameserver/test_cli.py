"""The command rmimom-ns as real processes: what it prints, keeps, refuses, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import Pyro5.api
import pytest

Start = Callable[..., "subprocess.Popen[str]"]
TIME_LIMIT = 60.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start rmimom-ns with arguments; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RMIMOM", "PYRO"))}

    def run(*arguments: object, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rmimom.nameserver", *map(str, arguments)],
            env={**environment, "HOME": str(tmp_path), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()


def ready(process: subprocess.Popen[str], file: Path) -> tuple[str, int]:
    """Host and port of a name server, once it serves: it writes the file before it says anything."""
    assert process.stdout is not None
    assert process.stdout.readline().startswith("rmimom-ns "), finish(process)
    host, _, port = file.read_text().strip().rpartition(":")
    return host, int(port)


def finish(process: subprocess.Popen[str], number: int | None = None) -> tuple[int, str, str]:
    """Exit code, output not yet read, and log of a name server that ends by itself or by a signal."""
    if number is not None:
        process.send_signal(number)
    assert process.stdout is not None
    assert process.stderr is not None
    output, log = process.stdout.read(), process.stderr.read()
    return process.wait(TIME_LIMIT), output, log


def register(host: str, port: int, *names: str) -> None:
    """Register names as any Pyro5 program would."""
    with Pyro5.api.locate_ns(host, port) as proxy:
        proxy._pyroTimeout = 10
        for name in names:
            proxy.register(name, "PYRO:object@127.0.0.1:1", metadata={"m"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_stops_cleanly(number: int, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    process = start("--port", 0, "--data", tmp_path / "data", "--ready-file", file)
    host, port = ready(process, file)
    register(host, port, "a")
    code, output, log = finish(process, number)
    assert code == 0
    names_file = tmp_path / "data" / "nameserver.sqlite"
    assert output.splitlines() == [
        f"  URI      PYRO:Pyro.NameServer@127.0.0.1:{port}",
        f"  names    0 names kept in {names_file}",
        f"  to stop  Ctrl-C, or kill {process.pid}",
        f"stopped; 1 name kept in {names_file}",
    ]
    assert log == ""
    assert not file.exists()


def test_a_clean_stop_does_not_wait_for_peers(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    process = start("--port", 0, "--memory", "--ready-file", file)
    host, port = ready(process, file)
    with socket.create_connection((host, port)) as silent, Pyro5.api.locate_ns(host, port) as idle:
        idle.ping()
        silent.sendall(b"PYRO")
        assert finish(process, signal.SIGTERM)[0] == 0


def test_names_survive_a_stop_and_a_kill(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    arguments = ("--port", 0, "--data", tmp_path / "data", "--ready-file", file)
    process = start(*arguments)
    register(*ready(process, file), "first", "second")
    finish(process, signal.SIGTERM)

    process = start(*arguments)
    host, port = ready(process, file)
    register(host, port, "third")
    finish(process, signal.SIGKILL)
    file.unlink()

    process = start(*arguments)
    host, port = ready(process, file)
    with Pyro5.api.locate_ns(host, port) as proxy:
        assert set(proxy.list(return_metadata=False)) == {"Pyro.NameServer", "first", "second", "third"}
        assert set(proxy.lookup("third", return_metadata=True)[1]) == {"m"}
    assert "names    3 names kept in" in finish(process, signal.SIGTERM)[1]


def test_in_memory_nothing_is_written(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    process = start("--port", 0, "--memory", "--ready-file", file)
    register(*ready(process, file), "a")
    code, output, _ = finish(process, signal.SIGTERM)
    assert code == 0
    assert "1 name in memory, which are forgotten at the stop" in output
    assert list(tmp_path.iterdir()) == []


def test_the_default_directory_and_options_from_the_environment(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    process = start(
        RMIMOM_NS_PORT="0",
        RMIMOM_NS_READY_FILE=str(file),
        RMIMOM_DATA=str(tmp_path / "own"),
        RMIMOM_NS_LOG_LEVEL="error",
    )
    ready(process, file)
    code, output, _ = finish(process, signal.SIGTERM)
    assert code == 0
    assert str(tmp_path / "own" / "nameserver.sqlite") in output


def test_a_port_in_use(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output, log = finish(start("--port", port, "--data", tmp_path))
    assert (code, output) == (1, "")
    assert log == (
        f"Error: port {port} on 127.0.0.1 is in use, perhaps by another name server;"
        " stop that, or choose another --port\n"
    )


def test_a_damaged_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "nameserver.sqlite"
    file.write_bytes(b"garbage" * 1000)
    code, output, log = finish(start("--port", 0, "--data", tmp_path))
    assert (code, output) == (1, "")
    assert log.startswith(f"Error: the name server's file {file} is damaged (file is not a database); move it away")
    assert file.read_bytes() == b"garbage" * 1000


def test_two_on_one_directory(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    first = start("--port", 0, "--data", tmp_path, "--ready-file", file)
    host, port = ready(first, file)
    code, _, log = finish(start("--port", 0, "--data", tmp_path))
    assert code == 1
    assert log.startswith(f"Error: another name server has {tmp_path / 'nameserver.sqlite'} open")
    register(host, port, "a")  # the first goes on
    assert finish(first, signal.SIGTERM)[0] == 0


def test_garbage_and_half_frames_disturb_nobody(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    process = start("--port", 0, "--memory", "--request-timeout", 0.2, "--ready-file", file)
    host, port = ready(process, file)
    with (
        socket.create_connection((host, port), timeout=TIME_LIMIT) as garbage,
        socket.create_connection((host, port), timeout=TIME_LIMIT) as half,
    ):
        garbage.sendall(os.urandom(1000))
        half.sendall(b"PYRO\x01\xf6\x01")
        register(host, port, "a")
        assert half.recv(65536)  # it is told why, and then it is over
        assert half.recv(65536) == b""
        register(host, port, "b")
    code, output, log = finish(process, signal.SIGTERM)
    assert code == 0
    assert "2 names in memory" in output
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "arguments", [("--port", "many"), ("--port", 70000), ("--log-level", "loud"), ("--request-timeout", 0), ("extra",)]
)
def test_wrong_options_end_with_code_2(arguments: tuple[object, ...], start: Start) -> None:
    code, _, log = finish(start(*arguments))
    assert code == 2
    assert "Error: " in log


def test_an_address_that_others_can_reach_is_warned_about(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    process = start("--host", "0.0.0.0", "--port", 0, "--memory", "--ready-file", file, PYRO_NS_BCPORT="0")
    _, port = ready(process, file)
    register("127.0.0.1", port, "a")
    code, _, log = finish(process, signal.SIGTERM)
    assert code == 0
    assert "whoever can reach 0.0.0.0 can change every name" in log
