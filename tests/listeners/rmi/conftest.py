from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.rmi import Served


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as running:
        yield running
