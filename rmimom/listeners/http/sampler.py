"""Once a second: a sample for the history, and news for those who listen to events.

Totals over all destinations cost a look at each, so with very many they are renewed less often than that: reading them
takes at most a twentieth of the time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from rmimom.core.statistics import DestinationStatistics
from rmimom.engine import Engine
from rmimom.listeners.http.events import Hub, Listener, encode_event
from rmimom.listeners.http.history import History, Sample
from rmimom.listeners.http.readings import read_destinations
from rmimom.listeners.http.tails import Tails
from rmimom.listeners.http.trends import Trends
from rmimom.listeners.http.view import ServerView

log = logging.getLogger(__name__)

PERIOD: Final = 1.0
"""Seconds between samples."""
_SHARE: Final = 20
MOST_CHANGES: Final = 500
"""Destinations that one event tells of; of others it is told a second later."""
RECENT: Final = 15.0
"""Seconds that may pass between the reading of a list and the first sample for whoever listens to its changes."""


class Counters(msgspec.Struct, frozen=True):
    """What the event `counters` holds: the sample, and where the server stands in its cluster."""

    role: str
    epoch: int
    sample: Sample | None


class Changes(msgspec.Struct, frozen=True):
    """What the event `destinations` holds: rows that have changed or are new, and what is gone, as `queue://NAME`."""

    changed: list[DestinationStatistics]
    removed: list[str]


class Sampler:
    """See the module's text.  `time` is a clock for durations, in seconds."""

    def __init__(self, view: ServerView, time: Callable[[], float]) -> None:
        self.history = History()
        self.trends = Trends()
        self.hub = Hub()
        self.tails = Tails()
        self._view = view
        self._time = time
        self._rows: dict[str, DestinationStatistics] = {}
        self._read_again_at = 0.0
        self._pending = 0
        self._changed_at: dict[str, float] = {}
        self._told: dict[str, DestinationStatistics] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take samples."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Take no more samples, and end the streams of events.  Twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self.hub.close()
        self.tails.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self.sample()
            except Exception:  # an oversight here must not end what people watch
                log.exception("a sample could not be taken")

    async def sample(self) -> None:
        """Take one sample now, and tell who listens."""
        engine = self._view.engine
        sample = await self._read(engine) if engine is not None else None
        if sample is not None:
            self.history.add(sample)
        newcomers = self.hub.newcomers()
        if not self.hub.listeners:
            self._told = None
            return
        facts = self._view.facts()
        self.hub.tell("counters", Counters(str(facts.get("role", "")), int(str(facts.get("epoch", 0))), sample))
        if engine is not None:
            self._tell_changes(newcomers)

    async def _read(self, engine: Engine) -> Sample:
        state = engine.broker.state
        now = self._time()
        if now >= self._read_again_at:
            rows = await read_destinations(state)
            self._renew({f"{row.kind}://{row.name}": row for row in rows}, now)
            self._pending = sum(row.pending for row in rows)
            self._read_again_at = now + _SHARE * (self._time() - now)
            self.trends.add(self._view.clock.now(), self._rows)
        return Sample(
            self._view.clock.now(),
            state.messages_in,
            state.messages_out,
            self._pending,
            len(state.clients) - 2,
            sum(len(client.consumers) for client in state.clients.values()),
            state.residence.used,
        )

    def _renew(self, rows: dict[str, DestinationStatistics], now: float) -> None:
        """Take the rows as they are, and remember for a while which of them have changed, and which are gone."""
        before, self._rows = self._rows, rows
        recent = {name: at for name, at in self._changed_at.items() if at > now - RECENT}
        recent.update((name, now) for name in before.keys() | rows.keys() if before.get(name) != rows.get(name))
        self._changed_at = recent

    def _tell_changes(self, newcomers: Sequence[Listener]) -> None:
        if self._told is None:
            self._told = dict(self._rows)
        else:
            self._tell_difference(self._told)
        if newcomers:
            # What changed between the list that they have read and now would never be told otherwise.
            for event in self._recent_changes():
                for listener in newcomers:
                    listener.put(event)

    def _recent_changes(self) -> Iterator[bytes]:
        names = list(self._changed_at)
        for start in range(0, len(names), MOST_CHANGES):
            part = names[start : start + MOST_CHANGES]
            changed = [self._rows[name] for name in part if name in self._rows]
            removed = [name for name in part if name not in self._rows]
            yield encode_event("destinations", Changes(changed, removed))

    def _tell_difference(self, told: dict[str, DestinationStatistics]) -> None:
        first = [name for name, row in self._rows.items() if told.get(name) != row][:MOST_CHANGES]
        removed = [name for name in told if name not in self._rows]
        if first or removed:
            self.hub.tell("destinations", Changes([self._rows[name] for name in first], removed))
            told.update((name, self._rows[name]) for name in first)
            for name in removed:
                del told[name]
