"""The life of the process of one server: from its settings to its exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rmimom.cluster.role import Role
from rmimom.config import ServerConfig
from rmimom.coordination.memory import ForeignDataError
from rmimom.errors import JMSError, StoreVersionError
from rmimom.listeners.registrar import NamesTakenError
from rmimom.server.banner import banner, write_ready_file
from rmimom.server.exit_codes import ExitCode, exit_code_of
from rmimom.server.service import Server

log = logging.getLogger(__name__)

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which the interpreter lets another thread go on (5 ms by default).  The event loop and the store's
thread take turns for every commit, and each turn would cost up to this long while the other one computes."""
COLLECTED_AFTER: Final = 10_000
"""Objects that may be made, and not be gone, before the interpreter looks for circles (700 by default).  What travels
through a server goes by itself, and each look costs it time for all that waits."""


def run_server(
    config: ServerConfig,
    role: Role,
    ready_file: Path | None,
    say: Callable[[str], None],
    on_serving: Callable[[], None],
) -> ExitCode:
    """Serve, or follow the server that does, until a signal or a failure.

    `say` writes what is for people; `on_serving` is called once everything is up and said.  Neither may raise.
    SIGTERM and SIGINT stop in order; a second one cuts short what waits for others.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(COLLECTED_AFTER, *gc.get_threshold()[1:])
    return asyncio.run(_Life(config, role, ready_file, say, on_serving).run())


class _Life:
    def __init__(
        self,
        config: ServerConfig,
        role: Role,
        ready_file: Path | None,
        say: Callable[[str], None],
        on_serving: Callable[[], None],
    ) -> None:
        self._config = config
        self._role = role
        self._ready_file = ready_file
        self._say = say
        self._on_serving = on_serving
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> ExitCode:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        server = Server(self._config, self._role)
        try:
            code = await self._start(server)
            if code is None:
                code = await self._serve(server)
        finally:
            await server.stop(self._hurry)
            if self._ready_file is not None:
                self._ready_file.unlink(missing_ok=True)
        if code is ExitCode.OK:
            log.info("stopped")
        return code

    def _signalled(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._stop.is_set():
            log.warning("%s again: stopping at once", name)
            self._hurry.set()
        else:
            log.info("%s: stopping; once more to stop at once", name)
            self._stop.set()

    async def _start(self, server: Server) -> ExitCode | None:
        """None if the server serves."""
        starting = asyncio.ensure_future(server.start())
        stopping = asyncio.ensure_future(self._stop.wait())
        ends: set[asyncio.Future[Any]] = {starting, stopping}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
        try:
            await starting
            self._say(banner(server))
            if self._ready_file is not None:
                await asyncio.to_thread(write_ready_file, self._ready_file, server)
        except asyncio.CancelledError:
            return ExitCode.OK
        except JMSError as error:
            log.critical("the server cannot start: %s", error)
            return exit_code_of(error)
        except OSError as error:
            log.critical("the server cannot start: %s", error)
            return ExitCode.FAILED
        self._on_serving()
        log.info("%s at %s", "serving" if server.role is Role.ACTIVE else "standing by", server.place.location)
        return None

    async def _serve(self, server: Server) -> ExitCode:
        stopping = asyncio.ensure_future(self._stop.wait())
        ends: set[asyncio.Future[Any]] = {server.failed, stopping}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if server.failed.done():
            error = server.failed.result()
            log.critical("the server ends because it cannot go on: %s", error)
            if isinstance(error, NamesTakenError | ForeignDataError | StoreVersionError):
                return exit_code_of(error)
            return ExitCode.FAILED
        return ExitCode.OK
