"""Waiting for a condition that another thread or process will make true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LIMIT = 60.0
"""Seconds for anything that is waited for: far more than it takes on a busy machine."""

_T = TypeVar("_T")


def wait_for(condition: Callable[[], _T], what: str = "what was waited for", limit: float = LIMIT) -> _T:
    """The first true value of `condition`; AssertionError if there is none in `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} after {limit} s"
        time.sleep(0.002)
    return found
