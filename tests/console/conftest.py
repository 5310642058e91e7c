"""One server and one browser for the tests of a module.

Not for the whole run: while Playwright is there the thread has a running event loop, and other tests begin their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from support.browser import PATIENCE, ConsoleServer, Visitor, find_chromium

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    chromium = find_chromium()
    with sync_playwright() as playwright:
        # Root, as which tests run in containers, has no sandbox.
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[ConsoleServer]:
    """A server with its console."""
    del browser  # without one there is nothing to serve
    started = ConsoleServer(tmp_path_factory.mktemp("console"))
    yield started
    started.stop()


VisitorMaker = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, server: ConsoleServer) -> Iterator[VisitorMaker]:
    """Makes people in front of a browser: `visit("vic")`; `None` is somebody without a session."""
    visitors: list[Visitor] = []

    def make(user: str | None = "admin", **options: Any) -> Visitor:
        visitor = Visitor(browser, server, **options)
        visitors.append(visitor)
        if user is not None:
            visitor.enter(user)
        return visitor

    yield make
    for visitor in visitors:
        visitor.close()
