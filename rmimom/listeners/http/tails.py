"""Streams of what comes to a queue or a topic, as it comes.

Delivery does no more for who watches than to put references to frames into a list that holds so many and no more;
everything else happens when the stream has its turn, four times a second.  What does not fit is counted and said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import msgspec

from rmimom.destination import Destination
from rmimom.effects import Arrival, Arrived
from rmimom.engine import Engine
from rmimom.errors import ResourceAllocationError
from rmimom.listeners.http.events import encode_event
from rmimom.listeners.http.message import Summary, summary_of
from rmimom.listeners.http.problems import Refusal
from rmimom.listeners.http.view import ServerView
from rmimom.selector import MessageValues, Selector, parse_selector

MOST_TAILS: Final = 50
MOST_AT_ONCE: Final = 50
"""Messages that wait for one stream; as many more as come meanwhile are dropped."""
MOST_OF_ALL: Final = 100
"""Messages that wait for all streams together, but for a few for each: to make JSON of them takes the server's time."""
LEAST_AT_ONCE: Final = 5
MOST_BYTES: Final = 1024 * 1024
"""Bytes of messages that wait for one stream, but for a single message that is larger."""
PERIOD: Final = 0.25
"""Seconds between two events of one stream."""
BEAT: Final = 5.0
"""Seconds after which a stream that has nothing to tell shows that it is alive."""


class TailEvent(msgspec.Struct, frozen=True):
    """What the event `messages` holds: messages in the order in which they came, and how many more were dropped.

    The `id` of a message is 0 where there is none that all who get it share: on topics.
    """

    items: list[Summary]
    dropped: int


class Tail:
    """One stream; see the module's text."""

    def __init__(self, tails: Tails, engine: Engine, destination: Destination, selector: str) -> None:
        self._tails = tails
        self._engine = engine
        self._destination = destination
        self._selector: Selector | None = parse_selector(selector)
        self._waiting: list[Arrival] = []
        self._bytes = 0
        self._dropped = 0
        self._news = asyncio.Event()
        self._closed = False
        engine.follow(destination, self._take)

    def _take(self, arrived: Arrived) -> None:
        """In the course of delivery: as little as can be."""
        most = self._tails.share
        for message in arrived.messages:
            size = self._bytes + len(message.frame)
            if len(self._waiting) < most and (size <= MOST_BYTES or not self._waiting):
                self._waiting.append(message)
                self._bytes = size
            else:
                self._dropped += 1
        self._news.set()

    def close(self) -> None:
        """End the stream after what waits."""
        self._closed = True
        self._news.set()

    def leave(self) -> None:
        """Take nothing any more.  Twice is harmless."""
        self._engine.unfollow(self._destination, self._take)
        self._tails.leave(self)

    async def events(self, view: ServerView) -> AsyncIterator[bytes]:
        """The events as they come, until the stream is closed or the server is not active any more."""
        try:
            while (self._waiting or not self._closed) and view.engine is self._engine:
                try:
                    async with asyncio.timeout(BEAT):
                        await self._news.wait()
                except TimeoutError:
                    yield b": nothing new\n\n"
                    continue
                event = await self._next()
                if event.items or event.dropped:
                    yield encode_event("messages", event)
                    await asyncio.sleep(PERIOD)
        finally:
            self.leave()

    async def _next(self) -> TailEvent:
        self._news.clear()
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        dropped, self._dropped = self._dropped, 0
        resting = [message.id for message in waiting if not message.frame and message.id]
        frames = await self._engine.frames(resting) if resting else {}
        items: list[Summary] = []
        for message in waiting:
            frame = message.frame or frames.get(message.id)
            if frame and (self._selector is None or MessageValues(frame, message.note).match(self._selector)):
                items.append(summary_of(message.id, frame, message.returns, message.note))
        return TailEvent(items, dropped)


class Tails:
    """The open streams."""

    def __init__(self) -> None:
        self.open: set[Tail] = set()
        self.share = MOST_AT_ONCE

    def begin(self, engine: Engine, destination: Destination, selector: str) -> Tail:
        """Another stream.  Raises Refusal if there are too many, and InvalidSelectorError."""
        if len(self.open) >= MOST_TAILS:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                ResourceAllocationError(f"{MOST_TAILS} destinations are watched already", limit=MOST_TAILS),
                {"Retry-After": "5"},
            )
        tail = Tail(self, engine, destination, selector)
        self.open.add(tail)
        self._divide()
        return tail

    def leave(self, tail: Tail) -> None:
        """One stream less; harmless if it is not open."""
        self.open.discard(tail)
        self._divide()

    def _divide(self) -> None:
        """How many messages may wait for each stream."""
        self.share = max(LEAST_AT_ONCE, min(MOST_AT_ONCE, MOST_OF_ALL // max(1, len(self.open))))

    def close(self) -> None:
        """End all streams."""
        for tail in list(self.open):
            tail.close()
