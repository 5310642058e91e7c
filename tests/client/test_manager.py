"""Finding the server through a name server, a stock one, and saying clearly what is missing when it cannot be."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
from Pyro5 import nameserver
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client import manager as manager_module
from rmimom.client.factory import ConnectionFactory
from rmimom.client.manager import ClientConnectionManager, delays
from rmimom.errors import ConfigurationError, ConnectionFailedError, JMSError


class NameServer:
    """A stock Pyro5 name server in this process."""

    def __init__(self, port: int = 0) -> None:
        self.uri, self.daemon, _ = nameserver.start_ns("127.0.0.1", port, enableBroadcast=False)
        self.place = self.daemon.locationStr
        self._thread = threading.Thread(target=self.daemon.requestLoop, daemon=True)
        self._thread.start()

    def register(self, uri: str) -> None:
        self.daemon.nameserver.register("rmimom.ConnectionFactory", uri)

    def stop(self) -> None:
        self.daemon.shutdown()
        self._thread.join(60)


@pytest.fixture
def names() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.stop()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_through_the_name_server(names: NameServer, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    names.register(server.uri)
    with ConnectionFactory(names.place).create_connection():
        pass
    monkeypatch.setenv("RMIMOM_NAMESERVER", names.place)
    with ConnectionFactory().create_connection():
        pass
    assert repr(ConnectionFactory()) == f"<ConnectionFactory rmimom.ConnectionFactory at name server {names.place}>"


def test_the_name_server_is_asked_once_and_let_go(names: NameServer, server: FakeServer) -> None:
    """The stock name server has 80 threads; nobody may keep one."""
    names.register(server.uri)
    manager = ClientConnectionManager(names.place, None, "rmimom.ConnectionFactory")
    manager.create_connection("", "", {})
    wait_for(lambda: not names.daemon.transportServer.pool.busy)
    names.daemon.nameserver.remove("rmimom.ConnectionFactory")
    manager.create_connection("", "", {})


def test_a_server_that_moved_is_found_again(names: NameServer) -> None:
    first = FakeServer()
    names.register(first.uri)
    connection = ConnectionFactory(names.place).create_connection()
    sender = connection.create_session().create_sender()
    queue = connection.create_session().queue("q")
    sender.send("a", destination=queue)
    first.stop()
    second = FakeServer(first.broker)
    names.register(second.uri)
    sender.send("b", destination=queue)
    assert second.calls["create_connection"] == 1
    connection.close()
    second.stop()


def test_a_server_that_starts_later_is_waited_for(names: NameServer, server: FakeServer) -> None:
    timer = threading.Timer(0.1, names.register, [server.uri])
    timer.start()
    ConnectionFactory(names.place).create_connection().close()
    timer.join()


def test_no_name_server() -> None:
    factory = ConnectionFactory(f"127.0.0.1:{free_port()}")
    with pytest.raises(ConnectionFailedError, match=r"no name server answers at 127\.0\.0\.1") as caught:
        factory.create_connection(connect_timeout=0.05)
    assert "start rmimom-ns" in str(caught.value)
    assert str(caught.value).startswith("no server within 0.05 s")


def test_a_name_server_without_a_server(names: NameServer) -> None:
    with pytest.raises(ConnectionFailedError, match=r"knows no 'rmimom\.ConnectionFactory'; start rmimom-server"):
        ConnectionFactory(names.place).create_connection(connect_timeout=0)


def test_no_server_at_a_fixed_uri() -> None:
    factory = ConnectionFactory(uri=f"PYRO:rmimom.ConnectionFactory@127.0.0.1:{free_port()}")
    with pytest.raises(ConnectionFailedError, match="cannot be reached"):
        factory.create_connection(connect_timeout=0)


def test_something_else_under_our_name(names: NameServer) -> None:
    names.register(str(names.uri))
    with pytest.raises(JMSError, match="no attribute 'create_connection'"):
        ConnectionFactory(names.place).create_connection(connect_timeout=0)


@pytest.mark.parametrize(
    ("place", "uri"),
    [
        ("localhost", "localhost:9090"),
        ("broker:1234", "broker:1234"),
        ("10.0.0.1:9", "10.0.0.1:9"),
        ("::1", "[::1]:9090"),
        ("[::1]:99", "[::1]:99"),
        ("[::1]", "[::1]:9090"),
    ],
)
def test_places_of_name_servers(place: str, uri: str) -> None:
    assert manager_module._nameserver_uri(place) == f"PYRO:Pyro.NameServer@{uri}"


@pytest.mark.parametrize("place", [":9090", "host:port", "host:0", "host:70000"])
def test_places_that_cannot_be(place: str) -> None:
    with pytest.raises(ConfigurationError, match="no place of a name server"):
        ConnectionFactory(place)


def test_a_uri_that_cannot_be() -> None:
    with pytest.raises(ConfigurationError, match="not the URI of a Pyro object"):
        ConnectionFactory(uri="http://localhost")


def test_delays_double_up_to_a_limit_with_chance() -> None:
    first = list(itertools.islice(delays(), 40))
    assert all(0.5 * full <= delay <= full for delay, full in zip(first, (0.05, 0.1, 0.2, 0.4, 0.5, 0.5), strict=False))
    assert max(first[:24]) <= 0.5
    assert 2.5 <= min(first[-5:]) <= max(first) <= 5.0
    assert first != list(itertools.islice(delays(), 40))
