"""Events for those who listen: each is told to all, and nobody waits for anybody.

A listener that does not take what it is told is let go after some seconds: it connects again and begins anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import msgspec

from rmimom.errors import ResourceAllocationError
from rmimom.listeners.http.problems import Refusal

MOST_LISTENERS: Final = 200
MOST_WAITING: Final = 30
"""Events that wait for one listener: about as many seconds."""


class Listener:
    """One stream of events."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.closed = False

    def put(self, event: bytes) -> None:
        """Another event; too many of them end the stream."""
        if len(self._waiting) >= MOST_WAITING:
            self.close()
        else:
            self._waiting.append(event)
            self._news.set()

    def close(self) -> None:
        """End the stream after what waits."""
        self.closed = True
        self._news.set()

    def leave(self) -> None:
        """Listen no more; harmless if it does not."""
        self._hub.leave(self)

    async def events(self) -> AsyncIterator[bytes]:
        """The events as they come, until the stream ends."""
        try:
            while True:
                while self._waiting:
                    yield self._waiting.popleft()
                if self.closed:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            self.leave()


class Hub:
    """Who listens."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._newcomers: list[Listener] = []
        self._closed = False

    def join(self) -> Listener:
        """Listen from now on.  Raises Refusal if too many do."""
        if self._closed or len(self.listeners) >= MOST_LISTENERS:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                ResourceAllocationError(f"{MOST_LISTENERS} streams of events are open already", limit=MOST_LISTENERS),
                {"Retry-After": "5"},
            )
        listener = Listener(self)
        self.listeners.add(listener)
        self._newcomers.append(listener)
        return listener

    def newcomers(self) -> list[Listener]:
        """Those who joined since this was asked last, and still listen."""
        found, self._newcomers = self._newcomers, []
        return [listener for listener in found if listener in self.listeners]

    def leave(self, listener: Listener) -> None:
        """Listen no more; harmless if it does not."""
        self.listeners.discard(listener)

    def tell(self, name: str, data: msgspec.Struct) -> None:
        """Tell all of an event."""
        event = encode_event(name, data)
        for listener in list(self.listeners):
            listener.put(event)

    def close(self) -> None:
        """End all streams; nobody can join any more."""
        self._closed = True
        for listener in list(self.listeners):
            listener.close()


def encode_event(name: str, data: msgspec.Struct) -> bytes:
    """An event as server-sent events write it; JSON has no line breaks."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
