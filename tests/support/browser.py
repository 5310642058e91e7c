"""A server with its console, and Debian's Chromium to look at it with.

Both run as long as the tests of a module; each test has a browser context of its own, with its own cookies.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from shutil import which
from typing import Any, Final, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response
from support.messages import frame_for

from rmimom.commands import Command, CreateDestination, Send
from rmimom.config import ServerConfig
from rmimom.core.state import SERVER
from rmimom.destination import Destination
from rmimom.server.service import Server

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[2]
INSTALLER: Final = ROOT / ".ci" / "install_chromium"
ARTEFACTS: Final = ROOT / "artefacts"
"""Where screenshots go; git ignores it."""
PATIENCE: Final = 60_000
"""Milliseconds for what a page is waited for: far more than it takes on a busy machine."""
WIDE: Final = {"width": 1440, "height": 900}
NARROW: Final = {"width": 390, "height": 844}


def find_chromium() -> str:
    """Where Chromium is, which is installed if that can be done.  Skips the test, or fails it where CI is set."""
    found = which("chromium")
    if found is None and os.geteuid() == 0 and which("apt-get") and INSTALLER.exists():
        run = subprocess.run([INSTALLER], check=False, capture_output=True, text=True, timeout=600)
        found = which("chromium")
        reason = f"{INSTALLER.name} could not install chromium: {run.stderr[-500:]}"
    else:
        reason = "there is no chromium; as root on Debian the tests install it, see .ci/install_chromium"
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class ConsoleServer:
    """A server with nothing on disk but its files, on a thread with an event loop of its own."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="console-server")
        self._thread.start()
        self.server = self.run(self._start())
        assert self.server.http is not None
        assert self.server.reign is not None
        self.url = self.server.http.location
        self.password = self.server.reign.first_password or ""
        for user, role in (("olga", "operator"), ("vic", "viewer")):
            self.run(self.server.reign.access.put(user, self.password, role))

    async def _start(self) -> Server:
        config = ServerConfig(
            data=self._data, store="memory", nameserver="", stomp="off", http="127.0.0.1:0", host="127.0.0.1", port=0
        )
        server = Server(config)
        await server.start()
        return server

    def run(self, wanted: Awaitable[T]) -> T:
        """Wait for something on the server's loop."""

        async def whole() -> T:
            return await wanted

        future: Future[T] = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        return future.result(60)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function on the server's loop."""

        async def whole() -> T:
            return function()

        return self.run(whole())

    def submit(self, command: Command) -> object:
        """Have a command decided, and its answer."""
        reign = self.server.reign
        assert reign is not None
        return self.run(reign.engine.submit(command))

    def end_sessions(self) -> None:
        """Forget who is logged in."""
        http = self.server.http
        assert http is not None
        self.call(http.gate.sessions._open.clear)

    def say(self, text: str) -> None:
        """Have the next page that anybody goes to say something."""
        http = self.server.http
        assert http is not None
        for session in self.call(lambda: list(http.gate.sessions._open.values())):
            session.notices = [("success", text)]

    def stop(self) -> None:
        """End the server, the loop and the thread.  Twice is harmless."""
        if self._thread.is_alive():
            self.run(self.server.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(60)
            self._loop.close()


def put(server: ConsoleServer, destination: Destination, *bodies: str, **more: Any) -> None:
    """Make a destination and send messages to it."""
    server.submit(CreateDestination(SERVER, destination))
    if bodies:
        frames = [frame_for(destination, body, **more) for body in bodies]
        server.submit(Send(SERVER, "", 0, destination, frames))


class Visitor:
    """A person in front of a browser: a context, its page, and what the browser complained of."""

    def __init__(self, browser: Browser, server: ConsoleServer, **options: Any) -> None:
        self.server = server
        options.setdefault("viewport", WIDE)
        self.scripted = options.get("java_script_enabled", True)
        self.context: BrowserContext = browser.new_context(base_url=server.url, reduced_motion="reduce", **options)
        self.context.set_default_timeout(PATIENCE)
        self.complaints: list[str] = []
        self.expected: set[int] = set()
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("response", self._look)

    def expect_refusal(self, status: int) -> None:
        """The browser may note that something was refused with this status."""
        self.expected.add(status)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _look(self, response: Response) -> None:
        if not response.url.startswith((self.server.url, "data:")):
            self.complaints.append(f"asked elsewhere: {response.url}")

    def log_in(self, user: str = "admin", password: str | None = None, at: str = "/") -> Page:
        """Begin a session; what the page is afterwards."""
        self.page.goto(at)
        self.page.get_by_label("User").fill(user)
        self.page.get_by_label("Password").fill(self.server.password if password is None else password)
        self.page.get_by_role("button", name="Log in").click()
        return self.page

    def enter(self, user: str = "admin") -> Page:
        """Have a session, without the form."""
        http = self.server.server.http
        assert http is not None
        _, token, _ = self.server.run(http.gate.login(user, self.server.password, "127.0.0.1"))
        self.context.add_cookies([{"name": f"rmimom-session-{http.port}", "value": token, "url": self.server.url}])
        return self.page

    def go(self, path: str) -> Page:
        """Read another page, as by the address bar; with JavaScript, wait until it has begun its work."""
        self.page.goto(path)
        if self.scripted:
            self.page.wait_for_selector("html[data-ready]")
        return self.page

    def shoot(self, name: str) -> None:
        """Keep a picture of the page."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)

    def close(self) -> None:
        """Leave, and find that the browser had nothing to complain of but refusals that the test expects."""
        self.context.close()
        refusals = tuple(
            f"error: Failed to load resource: the server responded with a status of {code}" for code in self.expected
        )
        found = [one for one in self.complaints if not one.startswith(refusals)]
        assert not found, found
