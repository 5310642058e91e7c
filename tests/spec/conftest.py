"""One server for all tests here, and for each test a connection, a session and destinations of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import ServerProcess, start_server

from rmimom import Connection, ConnectionFactory, Queue, Session, Topic

SETTINGS = """
[server]
recovery_grace = 0.1
max_message_size = "4MiB"

[[redelivery]]
destination = "twice.>"
maximum = 1

[[redelivery]]
destination = "later.>"
maximum = 3
delay = 0.05
multiplier = 2.0
maximum_delay = 0.15

[[redelivery]]
destination = "expiring.>"
expiry = "EXPIRED.{name}"
"""
"""Three kinds of destination with a redelivery policy of their own; names that begin otherwise have the usual one."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server of all tests here."""
    directory = tmp_path_factory.mktemp("spec")
    settings = directory / "rmimom.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    with start_server(directory / "data", "--config", str(settings)) as running:
        yield running


@pytest.fixture(scope="session")
def factory(server: ServerProcess) -> ConnectionFactory:
    """The way to the server."""
    return ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))


@pytest.fixture
def connect(factory: ConnectionFactory) -> Iterator[Callable[..., Connection]]:
    """Makes connections and closes them in the end; the user is `app` unless another is given."""
    made: list[Connection] = []

    def connect(user: str = "app", **options: Any) -> Connection:
        made.append(factory.create_connection(user, "", **options))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    """A connection that delivers."""
    return connect()


@pytest.fixture
def session(connection: Connection) -> Session:
    """A session that acknowledges by itself."""
    return connection.create_session()


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"spec{next(_numbers)}"


@pytest.fixture
def queue(name: str) -> Queue:
    """A queue of the test's own."""
    return Queue(name)


@pytest.fixture
def topic(name: str) -> Topic:
    """A topic of the test's own."""
    return Topic(name)
