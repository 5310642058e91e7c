"""A network of namespaces, for those who may make one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmimom_chaos.namespaces import DIRECTORY, PREFIX, Namespaces, sweep

MISSING = Namespaces.missing()
needs_namespaces = pytest.mark.skipif(bool(MISSING), reason=MISSING)

ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], 5000)) as server:
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(connection.recv(100))
"""


@pytest.fixture
def network() -> Iterator[Namespaces]:
    made = Namespaces()
    try:
        made.open(["a", "b"])
        yield made
    finally:
        made.close()


@pytest.fixture
def echo(network: Namespaces) -> Iterator[str]:
    """The address of a process at node a that sends back what it gets."""
    command = [*network.prefix("a"), sys.executable, "-c", ECHO, network.binds("a")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield network.reaches("a")
        finally:
            process.kill()


def answers(address: str, data: bytes = b"hello", limit: float = 0.5) -> bool:
    """Whether the echo comes back."""
    try:
        with socket.create_connection((address, 5000), limit) as connection:
            connection.sendall(data)
            return connection.recv(100) == data
    except OSError:
        return False


@needs_namespaces
def test_nodes_are_cut_off_and_joined_again(network: Namespaces, echo: str) -> None:
    assert answers(echo)
    network.cut("b", "a")
    assert answers(echo), "others are not cut off"
    network.cut("observer", "a")
    assert not answers(echo)
    network.mend()
    assert answers(echo)
    network.cut("a", "observer")
    assert not answers(echo)


@needs_namespaces
def test_data_is_held_up_while_the_connection_stays(network: Namespaces, echo: str) -> None:
    with socket.create_connection((echo, 5000), 20) as connection:
        network.hold("observer", "a")
        connection.sendall(bytes(90))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        network.mend()
        connection.settimeout(20)
        assert connection.recv(100) == bytes(90)


@needs_namespaces
def test_what_comes_to_a_node_is_lost_by_chance(network: Namespaces, echo: str) -> None:
    network.lose("a", 0.999)
    assert not answers(echo)


@needs_namespaces
def test_everything_is_taken_away_and_we_are_back_where_we_were() -> None:
    home = Path("/proc/thread-self/ns/net").readlink()
    network = Namespaces()
    network.open(["a"])
    assert Path("/proc/thread-self/ns/net").readlink() != home
    network.close()
    network.close()
    assert Path("/proc/thread-self/ns/net").readlink() == home
    assert not list(DIRECTORY.glob(f"{PREFIX}{os.getpid()}-*"))


@needs_namespaces
def test_what_a_killed_harness_left_is_swept_away() -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    name = f"{PREFIX}{dead.pid}-left"
    subprocess.run(["ip", "netns", "add", name], check=True)
    sweep()
    assert not (DIRECTORY / name).exists()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Namespaces.missing() == "making network namespaces needs root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert Namespaces.missing() == "there is no command ip and no command nft"
