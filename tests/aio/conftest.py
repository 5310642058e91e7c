"""A fake server for each test that asks, and a factory for event loops that knows where it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.fake_server import FakeServer

from rmimom.aio import ConnectionFactory


@pytest.fixture
def server() -> Iterator[FakeServer]:
    running = FakeServer()
    yield running
    running.stop()


@pytest.fixture
def factory(server: FakeServer) -> ConnectionFactory:
    return ConnectionFactory(uri=server.uri)
