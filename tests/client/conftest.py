"""A fake server for each test that asks, a factory that knows where it is, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.fake_server import FakeServer

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory


@pytest.fixture
def server() -> Iterator[FakeServer]:
    running = FakeServer()
    yield running
    running.stop()


@pytest.fixture
def factory(server: FakeServer) -> ConnectionFactory:
    return ConnectionFactory(uri=server.uri)


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection("app", "secret") as made:
        yield made
