"""A STOMP listener on an engine in this process, and a client that may misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from support.engines import inheritance

from rmimom.clock import SystemClock
from rmimom.core.broker import Broker
from rmimom.engine import Engine
from rmimom.errors import JMSSecurityError
from rmimom.listeners.stomp.listener import StompLimits, StompListener
from rmimom.stomp.codec import SERVER_COMMANDS, Frame, FrameReader, encode_frame
from rmimom.stomp.settings import Settings
from rmimom.store.memory import MemoryStore

PATIENCE = 20.0
"""Seconds until a test gives up; nothing is expected to take a noticeable part of it."""


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def admit(user: str, password: str) -> None:
    """Everybody may come in but the one called nobody."""
    if user == "nobody":
        raise JMSSecurityError("the user name or the password is wrong")


class Client:
    """The other end of a connection, frame by frame or byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.version = "1.2"
        self._frames = FrameReader(commands=SERVER_COMMANDS)

    async def send(self, command: str, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        """Send a frame."""
        self.write(encode_frame(command, headers or {}, body, version=self.version))
        await self.writer.drain()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def frame(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(PATIENCE):
            while (frame := self._frames.next_frame()) is None:
                data = await self.reader.read(65536)
                assert data, "the server closed the connection"
                self._frames.feed(data)
        return frame

    async def connect(self, **headers: str) -> Frame:
        """Say CONNECT and hear the answer."""
        await self.send("CONNECT", {"accept-version": self.version, **headers})
        return await self.frame()

    async def receipt(self, number: str) -> None:
        """Hear a receipt next."""
        frame = await self.frame()
        assert (frame.command, frame.headers.get("receipt-id")) == ("RECEIPT", number), frame

    async def closed(self) -> bytes:
        """What comes until the server has closed the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        """Go away."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


class Served:
    """A listener and its engine."""

    def __init__(self, engine: Engine, listener: StompListener) -> None:
        self.engine = engine
        self.listener = listener
        self._clients: list[Client] = []

    async def client(self, **options: Any) -> Client:
        """A TCP connection to the listener."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.listener.port, **options))
        self._clients.append(client)
        return client

    async def connected(self, **headers: str) -> Client:
        """A client that said CONNECT."""
        client = await self.client()
        assert (await client.connect(**headers)).command == "CONNECTED"
        return client

    async def close_clients(self) -> None:
        """Let all clients go."""
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def serve(
    *, settings: Settings | None = None, limits: StompLimits | None = None, **options: Any
) -> AsyncIterator[Served]:
    """A listener on a free port."""
    engine = Engine(Broker(), store := MemoryStore(), SystemClock())
    await engine.start(await inheritance(store))
    listener = StompListener(engine, admit, SystemClock(), settings=settings, limits=limits, **options)
    served = Served(engine, listener)
    try:
        await listener.start()
        yield served
    finally:
        await served.close_clients()
        await listener.stop()
        await engine.stop()


def frames_of(data: bytes) -> Iterable[Frame]:
    """The server's frames in these bytes."""
    reader = FrameReader(commands=SERVER_COMMANDS)
    reader.feed(data)
    return list(reader.frames())
