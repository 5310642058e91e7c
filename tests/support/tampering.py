"""A way to a server on which bytes are changed once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Tampering:
    """Where to connect, and what is changed: the first `needle` that comes by, in its last bit."""

    def __init__(self, needle: bytes) -> None:
        self.place = ""
        self.changed = 0
        self._needle = needle

    def pass_on(self, data: bytes) -> bytes:
        """What the server gets for what the client sent."""
        at = data.find(self._needle)
        if self.changed or at < 0:
            return data
        self.changed += 1
        end = at + len(self._needle)
        return data[: end - 1] + bytes([data[end - 1] ^ 1]) + data[end:]


@contextlib.asynccontextmanager
async def tampering(place: str, needle: bytes) -> AsyncIterator[Tampering]:
    """A proxy before the server at `place` (HOST:PORT)."""
    made = Tampering(needle)
    host, _, port = place.rpartition(":")
    conversations: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, changes: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                writer.write(made.pass_on(data) if changes else data)
                await writer.drain()
        writer.close()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        there, back = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(copy(reader, back, changes=True), copy(there, writer, changes=False))
        writer.close()
        back.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    made.place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
