from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.rmi import RawClient, Served


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[RawClient]:
    with RawClient(served.listener.port) as found:
        yield found
