"""A network of proxies: it knows who connects, and cuts off pairs of nodes."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from rmimom_chaos.network import STOMP
from rmimom_chaos.proxies import Proxies

MISSING = Proxies.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture
def network() -> Iterator[Proxies]:
    """We are the processes of node b; at node a somebody sends back what he gets."""
    made = Proxies()
    try:
        made.open(["a", "b"])
        made.started("b", os.getpid())
        with socket.create_server((made.binds("a"), made.port("a"))) as server:
            threading.Thread(target=echo, args=(server,), daemon=True).start()
            yield made
            server.shutdown(socket.SHUT_RDWR)
    finally:
        made.close()


def echo(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)


@pytest.fixture
def connection(network: Proxies) -> Iterator[socket.socket]:
    with socket.create_connection((network.reaches("a"), network.port("a")), 20) as made:
        assert passes(made)
        yield made


def passes(connection: socket.socket, limit: float = 20.0) -> bool:
    """Whether something comes back."""
    connection.settimeout(limit)
    connection.sendall(b"x")
    try:
        return connection.recv(1) == b"x"
    except TimeoutError:
        return False


@pytest.mark.parametrize("way", [("b", "a"), ("a", "b")])
def test_bytes_wait_while_a_pair_is_cut(network: Proxies, connection: socket.socket, way: tuple[str, str]) -> None:
    network.cut(*way)
    assert not passes(connection, 0.2)
    network.mend()
    connection.settimeout(20)
    assert connection.recv(1) == b"x"


def test_each_service_of_a_node_has_its_own_proxy_and_is_cut_with_it(network: Proxies) -> None:
    assert network.port("a", STOMP) != network.port("a")
    with socket.create_server((network.binds("a"), network.port("a", STOMP))) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        with socket.create_connection((network.reaches("a"), network.port("a", STOMP)), 20) as connection:
            assert passes(connection)
            network.cut("b", "a")
            assert not passes(connection, 0.2)
            network.mend()
            connection.settimeout(20)
            assert connection.recv(1) == b"x"
        server.shutdown(socket.SHUT_RDWR)


def test_other_pairs_are_not_cut(network: Proxies, connection: socket.socket) -> None:
    network.cut("observer", "a")
    network.cut("a", "observer")
    assert passes(connection)


def test_pieces_come_late(network: Proxies, connection: socket.socket) -> None:
    network.delay("b", "a", 0.2)
    before = time.monotonic()
    assert passes(connection)
    assert time.monotonic() - before >= 0.2


def test_the_end_of_a_connection_is_passed_on(network: Proxies, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""


def test_it_says_what_it_lacks(network: Proxies) -> None:
    assert network.lacks("lose") == "a TCP proxy has no packets to lose: that takes --network namespaces"
    assert network.lacks("cut") == ""
