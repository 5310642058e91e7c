"""The door: sockets that are open from the start, and an application that is loaded when somebody comes.

Starlette and uvicorn take a quarter of a second to import.  A server whose interface nobody uses does not need them,
and one that is just starting has better things to do.  So the listener watches its sockets, and the first connection
has the rest imported, on a thread.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING, Final

from rmimom.errors import ConfigurationError
from rmimom.listeners.http.gate import Gate
from rmimom.listeners.http.sampler import Sampler
from rmimom.listeners.http.view import ServerView

if TYPE_CHECKING:
    from rmimom.listeners.http.serving import WebServer

log = logging.getLogger(__name__)

BACKLOG: Final = 128


class HttpListener:
    """Serves the HTTP interface of one server on one address."""

    def __init__(self, view: ServerView, *, host: str, port: int) -> None:
        self.view = view
        self._host = host
        self._port = port
        self._sockets: list[socket.socket] = []
        self._server: WebServer | None = None
        self._stopping = False
        self._serving: asyncio.Task[None] | None = None
        self.gate = Gate(view)
        self.sampler = Sampler(view, asyncio.get_running_loop().time)

    async def open(self) -> None:
        """Open the sockets; who connects waits until `start`.  Raises ConfigurationError for an address in use."""
        try:
            await self._open()
        except OSError as error:
            self._close()
            raise ConfigurationError(
                f"cannot listen for HTTP on {self._host}:{self._port}: {error.strerror or error}; "
                "choose another address with --http HOST:PORT, or do without it: --http off",
                host=self._host,
                port=self._port,
            ) from error

    def start(self) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            loop.add_reader(one.fileno(), self._somebody_comes)
        self.sampler.start()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        port = self._port
        for family, address in dict.fromkeys((info[0], str(info[4][0])) for info in found):
            try:
                one = socket.create_server((address, port), family=family, backlog=BACKLOG)
            except OSError as error:
                # `localhost` often has an IPv6 address on machines that have no IPv6.
                if self._sockets and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    continue
                raise
            one.setblocking(False)
            self._sockets.append(one)
            # The system chose for the first address; the others get the same.
            port = one.getsockname()[1]

    def _close(self) -> None:
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            one.close()

    @property
    def port(self) -> int:
        """The port that is served; 0 while none is."""
        port: int = self._sockets[0].getsockname()[1] if self._sockets else 0
        return port

    @property
    def location(self) -> str:
        """Where it is served, as the beginning of a URL; empty while it is not."""
        if not self._sockets:
            return ""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  # compared with
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def loaded(self) -> bool:
        """Whether somebody came, so that the application is there."""
        return self._serving is not None

    def _somebody_comes(self) -> None:
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            loop.remove_reader(one.fileno())
        self._serving = loop.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            self._server = server = await asyncio.to_thread(_load, self)
            if not self._stopping:
                await server.serve(sockets=self._sockets)
        except Exception:  # the server goes on without its administration
            log.exception("the HTTP interface cannot go on")
            self._close()

    async def stop(self) -> None:
        """Answer what was asked, end the streams, close the sockets.  Twice is harmless."""
        self._stopping = True
        await self.sampler.stop()
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            loop.remove_reader(one.fileno())
        serving, self._serving = self._serving, None
        if serving is not None:
            if self._server is not None:
                self._server.should_exit = True
            await asyncio.wait([serving])
        self._close()


def _load(listener: HttpListener) -> WebServer:
    """Import what serving needs."""
    from rmimom.listeners.http.console.routes import make_whole_app
    from rmimom.listeners.http.serving import make_server

    return make_server(make_whole_app(listener.view, listener.gate, listener.sampler))
