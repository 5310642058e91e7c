"""Dispatch: effects find the connection that they are meant for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from msgspec import Raw

from rmimom.destination import Destination
from rmimom.effects import (
    Arrived,
    ConsumerClosed,
    Deliver,
    DestinationAdded,
    DestinationRemoved,
    Effect,
    Examine,
    Fetch,
)
from rmimom.errors import JMSError
from rmimom.frame import Delivered

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a connection takes what the server tells it.  Neither method may wait or raise."""

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Take messages, in order; the list belongs to the sink from now on."""
        ...

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        """The server closed a consumer by itself."""
        ...


async def _leave_open(reason: str) -> None:
    del reason


class ConnectionInfo(NamedTuple):
    """What a listener tells of a connection: protocol, address, and since when (milliseconds since 1970 UTC).

    `close` ends it for the reason given, as its protocol does; harmless if it has ended.
    """

    protocol: str
    address: str
    since: int
    close: Callable[[str], Awaitable[None]] = _leave_open


def public_id(connection: str) -> str:
    """How a connection is called to people: its name in the core is the key to it."""
    return hashlib.sha256(connection.encode()).hexdigest()[:16]


class Dispatch:
    """Hands effects on, once the engine says that their records are safe."""

    def __init__(self) -> None:
        self._sinks: dict[str, Sink] = {}
        self._infos: dict[str, ConnectionInfo] = {}
        self._watchers: list[Callable[[DestinationAdded | DestinationRemoved], None]] = []
        self._followers: dict[Destination, list[Callable[[Arrived], None]]] = {}
        self.delivered = 0

    def attach(self, connection: str, sink: Sink, info: ConnectionInfo | None = None) -> None:
        """From now on `sink` takes what is meant for the connection; `info` is for people who look at it."""
        self._sinks[connection] = sink
        if info is not None:
            self._infos[connection] = info

    def info(self, connection: str) -> ConnectionInfo | None:
        """What its listener told of a connection."""
        return self._infos.get(connection)

    def detach(self, connection: str) -> None:
        """What is meant for the connection goes nowhere from now on; harmless if it was not attached."""
        self._sinks.pop(connection, None)
        self._infos.pop(connection, None)

    def watch_destinations(self, watcher: Callable[[DestinationAdded | DestinationRemoved], None]) -> None:
        """Tell `watcher` of every destination that comes or goes."""
        self._watchers.append(watcher)

    def follow(self, destination: Destination, follower: Callable[[Arrived], None]) -> None:
        """Tell `follower` of what comes to a destination; it may neither wait nor raise."""
        self._followers.setdefault(destination, []).append(follower)

    def unfollow(self, destination: Destination, follower: Callable[[Arrived], None]) -> bool:
        """Tell `follower` no more, harmless if it is not told; whether anybody follows the destination still."""
        followers = self._followers.get(destination, [])
        if follower in followers:
            followers.remove(follower)
        if not followers:
            self._followers.pop(destination, None)
        return bool(followers)

    def release(self, effects: Iterable[Effect], frames: Mapping[int, bytes] | None = None) -> list[str]:
        """Tell the effects; returns the connections whose sink failed, which are detached.

        `frames` are those that had to be fetched from the store, None if all were there already.  A message that is
        not in the store any more was removed after it was handed out: it is passed over.
        """
        failed: list[str] = []
        for effect in effects:
            if isinstance(effect, Deliver | ConsumerClosed):
                sink = self._sinks.get(effect.connection)
                if sink is None:
                    continue
                try:
                    if isinstance(effect, Deliver):
                        deliveries = effect.deliveries
                        if frames is not None:
                            deliveries = [found for found in deliveries if _load(found, frames)]
                        self.delivered += len(deliveries)
                        sink.deliver(deliveries)
                    else:
                        sink.consumer_closed(effect.consumer, effect.error)
                except Exception:  # a sink may not raise; if it does, only its own connection pays
                    log.exception("connection %s cannot take what it is told and is cut off", effect.connection)
                    self.detach(effect.connection)
                    failed.append(effect.connection)
            elif isinstance(effect, Arrived):
                for follower in self._followers.get(effect.destination, ()):
                    follower(effect)
            elif not isinstance(effect, (Examine, Fetch)):  # the engine carries these out itself
                for watcher in self._watchers:
                    watcher(effect)
        return failed


def _load(delivered: Delivered, frames: Mapping[int, bytes]) -> bool:
    """Complete a delivery whose frame rested in the store; False if it is gone."""
    if not len(delivered.frame):
        frame = frames.get(delivered.tag)
        if frame is None:
            return False
        delivered.frame = Raw(frame)
    return True
