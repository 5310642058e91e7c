"""A name server in this process: what its owner can see of it."""

from __future__ import annotations

import socket
from pathlib import Path

import Pyro5.api
import pytest

from rmimom.errors import ConfigurationError, StoreInUseError
from rmimom.nameserver.embedded import start_embedded


def register(uri: str, name: str) -> None:
    """Register a name through a stock proxy."""
    with Pyro5.api.Proxy(uri) as proxy:
        proxy._pyroTimeout = 10
        proxy.register(name, "PYRO:object@127.0.0.1:1")


def test_it_says_where_it_is_and_what_it_holds() -> None:
    with start_embedded(port=0) as server:
        assert server.port > 0
        assert server.location == f"127.0.0.1:{server.port}"
        assert server.uri == f"PYRO:Pyro.NameServer@127.0.0.1:{server.port}"
        assert server.is_local
        assert server.running
        assert (server.count, server.file) == (0, None)
        register(server.uri, "a")
        assert server.count == 1
    assert not server.running


def test_names_are_there_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "names.sqlite"
    with start_embedded(port=0, storage=file) as server:
        register(server.uri, "a")
    with start_embedded(port=0, storage=file) as server:
        assert server.count == 1
        assert server.file == file
        with Pyro5.api.Proxy(server.uri) as proxy:
            assert str(proxy.lookup("a")) == "PYRO:object@127.0.0.1:1"
            # Its own name is the new address, not the kept one.
            assert str(proxy.lookup("Pyro.NameServer")) == server.uri


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    server = start_embedded(port=0, storage=tmp_path / "names.sqlite")
    server.close()
    server.close()
    assert not server.running


# Pyro5 leaves the socket that it could not bind to the garbage collector.
leaves_a_socket = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@leaves_a_socket
def test_a_port_in_use_is_refused_and_leaves_nothing_open(tmp_path: Path) -> None:
    file = tmp_path / "names.sqlite"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} on 127\.0\.0\.1 is in use"):
            start_embedded(port=port, storage=file)
    # The file is free again.
    start_embedded(port=0, storage=file).close()


@leaves_a_socket
def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1 port 0"):
        start_embedded(host="192.0.2.1", port=0)


def test_a_file_in_use_is_refused_and_leaves_no_listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmimom.nameserver.storage._LOCK_WAIT", 0.0)
    file = tmp_path / "names.sqlite"
    with start_embedded(port=0, storage=file), pytest.raises(StoreInUseError):
        start_embedded(port=0, storage=file)
