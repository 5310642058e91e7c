"""The engine: commands become outcomes, records become safe, then effects are told.

    submit ─► broker.handle ─► open batch ─► store thread ─► dispatch
                                   ▲   └────► replicas ──┘
                                   └── collects while the batch before is committed

Rule 1: records before effects.  Replies and effects of a batch are released when its records are on disk and on every
        replica, never before, and in the order in which they were decided.
Rule 2: one commit at a time.  What comes meanwhile goes into the next batch, so that the batches grow with the load.
Rule 3: an id that somebody may have heard of is never given out again, not even after a crash.  Messages that never
        touch the disk take ids too, so ids are reserved on disk in large blocks before the first of a block is told.
Rule 4: a full disk stops nothing that is decided already: the batch is tried again until there is room, and sends are
        refused meanwhile.  Any other failure of a commit is the end of serving, because memory is ahead of the disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from rmimom.clock import Clock
from rmimom.cluster.role import Epoch
from rmimom.commands import Command, Commit, Disconnect, Send, Tick
from rmimom.core.broker import Broker
from rmimom.destination import Destination
from rmimom.dispatch import Dispatch
from rmimom.effects import Arrived, Refused
from rmimom.errors import ConnectionFailedError, JMSError, StoreError, StoreFullError
from rmimom.follower import Inheritance
from rmimom.incidents import Incidents
from rmimom.open_batch import OpenBatch
from rmimom.reading import Reading
from rmimom.records import Batch, MessagesDropped
from rmimom.replication import NotActiveError, Replication
from rmimom.room import Room
from rmimom.snapshot import Position
from rmimom.store.base import Store
from rmimom.trail import Trail

log = logging.getLogger(__name__)

RETRY_WHEN_FULL = 0.25
"""Seconds between attempts to commit a batch for which the disk had no room."""
TICK = 0.05
"""Seconds between looks at the clock for delays, expirations and the end of doubt."""
UPKEEP = 1.0
"""Seconds between pieces of upkeep of the store."""
IDS_RESERVED = 1_000_000
"""Ids in a block; what is left of a block at a restart is skipped, which 2**63 ids allow for ever."""


class EngineStatistics(msgspec.Struct, frozen=True):
    """A reading of the engine's counters; `committing` tells whether a batch is on its way to the disk."""

    commands: int
    batches: int
    records: int
    delivered: int
    committing: bool
    full: bool


class Engine:
    """Runs one broker on one store; see the module's text for the rules.

    `free_bytes` tells how much room the disk has; below `reserve` bytes sends are refused, so that acknowledgements,
    which make room, still find some.  `on_failure` is called once if serving has to end.  `thread` makes the store
    thread, for simulations that have no threads.
    """

    def __init__(
        self,
        broker: Broker,
        store: Store,
        clock: Clock,
        *,
        epoch: Epoch | None = None,
        replication: Replication | None = None,
        free_bytes: Callable[[], int] | None = None,
        reserve: int = 0,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.broker = broker
        self.dispatch = Dispatch()
        self.incidents = Incidents()
        self.trail = Trail()
        self._store = store
        self._clock = clock
        self._epoch = epoch
        self._replication = replication
        self._room = Room(free_bytes, reserve, self.incidents)
        self._on_failure = on_failure
        self._position = Position()
        self._open = OpenBatch()
        self._committing = False
        self._flush_asked = False
        self._upkeep_waits = False
        self._failure: BaseException | None = None
        self._commands = 0
        self._batches = 0
        self._records = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._retrying: tuple[asyncio.TimerHandle, OpenBatch, Batch | None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._stopped = False
        self._held: list[tuple[Command, asyncio.Future[object] | None]] | None = None  # while paused

    async def start(self, inheritance: Inheritance) -> None:
        """Recover from what a follower hands over, and begin.  Raises StoreDamagedError."""
        thread, snapshot, dropped = inheritance
        self._loop = asyncio.get_running_loop()
        self._thread = thread
        self._reading = Reading(self._store, thread, self.tell, self._fail)
        self._position = snapshot.position
        try:
            tidied = await thread.run(lambda: self.broker.recover(snapshot, self._clock.now()))
        except BaseException:
            await thread.run(self._store.close)
            await thread.stop()
            raise
        self._open.records += tidied
        if dropped:
            self._open.records.append(MessagesDropped(dropped))
        self._flush()
        self._timers = [
            self._loop.call_later(TICK, self._tick),
            self._loop.call_later(UPKEEP, self._upkeep),
        ]

    def submit(self, command: Command) -> asyncio.Future[object]:
        """Decide a command now; the future has the answer once everything that belongs to it is safe.

        The future's result is what the command's description promises; it raises the JMSError of a refusal.
        """
        future: asyncio.Future[object] = self._loop.create_future()
        if self._failure is not None:
            _raise_in(future, _ended(self._failure))
            return future
        if self._stopped:
            _raise_in(future, ConnectionFailedError("the server has stopped; nothing of this call was done"))
            return future
        if self._room.is_short and self._needs_room(command):
            future.set_exception(
                StoreFullError("the server's disk is full; nothing was stored, send again when there is room")
            )
            return future
        self._decide(command, future)
        return future

    def _needs_room(self, command: Command) -> bool:
        """Whether the command would store messages, and is not a repetition of what waits for room already.

        A repetition must not hear that nothing is stored: it waits with what it repeats.
        """
        if isinstance(command, Send) or (isinstance(command, Commit) and command.sends):
            return not self.broker.has_accepted(command)
        return False

    def tell(self, command: Command) -> None:
        """Decide a command whose answer nobody waits for."""
        if self._failure is None and not self._stopped:
            self._decide(command, None)

    def tell_at_once(self, command: Command) -> None:
        """Decide a command and tell its effects before all that wait, if nothing of it has to be safe first."""
        if self._failure is not None or self._stopped or self._held is not None:
            return
        outcome = self.broker.handle(command, self._clock.now())
        if outcome.records:
            self._open.add(None, outcome)
            self._flush_soon()
        else:
            for connection in self.dispatch.release(outcome.effects):
                self.tell(Disconnect(connection))

    async def pause(self) -> Position:
        """Let commands wait undecided, and return when everything decided is told; the position is that of the log.

        Raises StoreError if serving ends before that.
        """
        if self._held is None:
            self._held = []
        while self._failure is None and (self._committing or not self._open.empty):
            self._flush()
            await self._idle.wait()
            await asyncio.sleep(0)
        if self._failure is not None:
            raise _ended(self._failure)
        return self._position

    @property
    def is_paused(self) -> bool:
        """Whether commands wait undecided."""
        return self._held is not None

    def resume(self) -> None:
        """Decide what has waited, and go on."""
        held, self._held = self._held, None
        for command, future in held or ():
            if future is None or not future.done():
                self._decide(command, future)

    def _decide(self, command: Command, future: asyncio.Future[object] | None) -> None:
        if self._held is not None:
            if not self._stopping:
                self._held.append((command, future))
            elif future is not None:
                _raise_in(future, _handed_over())
            return
        self._commands += 1
        try:
            outcome = self.broker.handle(command, self._clock.now())
        except Exception as error:  # noqa: BLE001 - a fault of ours: memory may be half changed and is not served
            if future is not None:
                future.set_exception(_ended(error))
            self._fail(error)
            return
        self._open.add(future, outcome)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_asked and not self._committing:
            # Not at once: everything that this round of the loop brings goes into the same batch.
            self._flush_asked = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_asked = False
        # A new epoch is written down before anything is told in it, so that no two reigns have the same number.
        new_epoch = self._epoch is not None and self._epoch.number != self._position.epoch
        if self._committing or self._failure is not None or (self._open.empty and not new_epoch):
            return
        batch, self._open = self._open, OpenBatch()
        must_log = bool(batch.records) or self.broker.next_id > self._position.next_id or new_epoch
        log_batch: Batch | None = None
        if must_log:
            self._position = self._next_position()
            log_batch = Batch(self._position.epoch, self._position.sequence, self._position.next_id, batch.records)
        if self._replication is not None:
            if log_batch is not None:
                batch.shipped = self._replication.offer(log_batch)
            elif batch.effects:
                batch.shipped = self._replication.confirm()
        if log_batch is None and batch.shipped is None and not batch.missing:
            self._release(batch, {})
            if self._open.empty:
                self._idle.set()  # the commit before this batch could not say so
            return
        if batch.shipped is not None and batch.shipped.done() and (refusal := batch.shipped.exception()) is not None:
            # Refused at once: another server goes on from where our log ends, so nothing may come after that.
            self._abandon(batch, refusal)
            return
        self._committing = True
        self._idle.clear()
        if batch.shipped is not None and batch.small:
            # A small commit may be done on this very thread: first let the links send what was offered to them, so that
            # the standbys work at the same time.
            self._loop.call_soon(self._start_commit, batch, log_batch)
        else:
            self._start_commit(batch, log_batch)

    def _next_position(self) -> Position:
        reserved = self._position.next_id
        if self.broker.next_id > reserved:
            reserved = self.broker.next_id + IDS_RESERVED
        return Position(self._epoch.number if self._epoch else 0, self._position.sequence + 1, reserved)

    def _start_commit(self, batch: OpenBatch, log_batch: Batch | None) -> None:
        committed = self._thread.run(lambda: self._commit(log_batch, batch.missing), small=batch.small)
        committed.add_done_callback(lambda done: self._committed(batch, log_batch, done))

    def _commit(self, log_batch: Batch | None, missing: list[int]) -> dict[int, bytes]:
        """On the store thread: make the records safe, then fetch the frames that are to be told."""
        if log_batch is not None:
            self._store.append(log_batch)
        return self._store.frames(missing) if missing else {}

    def _committed(self, batch: OpenBatch, log_batch: Batch | None, done: asyncio.Future[dict[int, bytes]]) -> None:
        error = done.exception()
        if isinstance(error, StoreFullError) and not self._stopping:
            self._room.ran_out(str(error))
            timer = self._loop.call_later(RETRY_WHEN_FULL, self._retry)
            self._retrying = timer, batch, log_batch
            return
        if error is not None:
            self._abandon(batch, error)
            return
        self._room.check()
        if log_batch is not None:
            self._batches += 1
            self._records += len(log_batch.records)
            self.trail.add(log_batch, self._clock.now())
            if self._replication is not None:
                self._replication.stored(log_batch)
        if batch.shipped is None:
            self._safe(batch, done.result())
        else:
            batch.shipped.add_done_callback(lambda shipped: self._shipped(batch, done.result(), shipped))

    def _shipped(self, batch: OpenBatch, frames: dict[int, bytes], shipped: asyncio.Future[None]) -> None:
        error = ConnectionFailedError("the replication was given up") if shipped.cancelled() else shipped.exception()
        if error is not None:
            self._abandon(batch, error)
        else:
            self._safe(batch, frames)

    def _safe(self, batch: OpenBatch, frames: dict[int, bytes]) -> None:
        """The batch is everywhere where it must be: tell, and begin the next."""
        if self._failure is not None:
            return
        self._committing = False
        self._release(batch, frames)
        if self._open.empty:
            self._idle.set()
        else:
            self._flush()

    def _retry(self) -> None:
        """Try the batch again for which there was no room."""
        if self._retrying is None:
            return
        timer, batch, log_batch = self._retrying
        timer.cancel()
        self._retrying = None
        committed = self._thread.run(lambda: self._commit(log_batch, batch.missing))
        committed.add_done_callback(lambda done: self._committed(batch, log_batch, done))

    def _release(self, batch: OpenBatch, frames: dict[int, bytes]) -> None:
        for future, reply in batch.replies:
            if future.done():
                continue
            if isinstance(reply, Refused):
                future.set_exception(reply.error)
            else:
                future.set_result(reply.value)
        if batch.effects:
            for connection in self.dispatch.release(batch.effects, frames if batch.missing else None):
                self.tell(Disconnect(connection))
        for examination in batch.examinations:
            self._reading.read(examination)

    def _abandon(self, batch: OpenBatch, error: BaseException) -> None:
        """The batch did not get safe: nothing of it may be told as done."""
        for future, _ in batch.replies:
            _raise_in(future, _ended(error))
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None:
            return
        self._failure = error
        self._reading.end()
        given_up = self._stopping and isinstance(error, StoreFullError)
        if isinstance(error, NotActiveError):
            log.warning("%s", error)
        elif given_up:
            log.error("%s: the last batch could not be stored and is given up; nobody was told that it was", error)
        else:
            log.critical("the server cannot go on: %s", error, exc_info=error)
        for future, _ in self._open.replies:
            _raise_in(future, _ended(error))
        for _, held in self._held or ():
            if held is not None:
                _raise_in(held, _ended(error))
        self._open = OpenBatch()
        self._idle.set()
        if self._on_failure is not None and not given_up:
            self._on_failure(error)

    def _tick(self) -> None:
        due = self.broker.next_due
        if due is not None and due <= self._clock.now():
            self.tell(Tick())
        self._timers[0] = self._loop.call_later(TICK, self._tick)

    def _upkeep(self) -> None:
        self._timers[1] = self._loop.call_later(UPKEEP, self._upkeep)
        if self._failure is None:
            if not self._committing:
                self._room.check()
            self.tell(Tick())
            self._maintain()

    def _maintain(self) -> None:
        done = self._thread.run(self._store.maintain)
        done.add_done_callback(self._maintained)

    def _maintained(self, done: asyncio.Future[bool]) -> None:
        error = done.exception()
        waited, self._upkeep_waits = self._upkeep_waits, isinstance(error, StoreFullError)
        if error is None:
            if done.result() and not self._committing and not self._stopped:
                self._maintain()
        elif isinstance(error, StoreFullError):
            if not waited:
                log.warning("upkeep of the store waits for room on disk: %s", error)
        else:
            self._fail(error)

    def follow(self, destination: Destination, follower: Callable[[Arrived], None]) -> None:
        """Tell `follower` of every message that comes to a destination, as soon as it is safe.

        Nothing is consumed.  The follower is called in the course of delivery: it may neither wait nor raise.
        """
        self.broker.state.followed.add(destination)
        self.dispatch.follow(destination, follower)

    def unfollow(self, destination: Destination, follower: Callable[[Arrived], None]) -> None:
        """Tell `follower` no more; harmless if it is not told."""
        if not self.dispatch.unfollow(destination, follower):
            self.broker.state.followed.discard(destination)

    async def frames(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Frames of messages that rest in the store, read between commits; those that are gone are absent."""
        return await self._thread.run(lambda: self._store.frames(ids))

    async def run_on_store(self, function: Callable[[Store], object]) -> object:
        """Run a reading function of the store on its thread, between commits."""
        return await self._thread.run(lambda: function(self._store))

    async def stop(self) -> None:
        """Commit and release what was decided, then close the store.  Twice is harmless.

        A batch for which the disk has no room is tried once more and then given up: nobody was told of it.  If commands
        wait undecided, they are refused, and so are later ones: another server goes on from where the log ends.
        """
        if self._stopping:
            return
        self._stopping = True
        self._reading.end()
        for timer in self._timers:
            timer.cancel()
        held, self._held = self._held, None if self._held is None else []
        for _, future in held or ():
            if future is not None:
                _raise_in(future, _handed_over())
        self._retry()
        self._flush()
        if self._failure is None:
            await self._idle.wait()
        self._stopped = True
        await self._thread.run(self._store.close)
        await self._thread.stop()

    @property
    def position(self) -> Position:
        """The last batch that was begun, and the first id that is not reserved."""
        return self._position

    @property
    def epoch(self) -> Epoch | None:
        """The epoch in which this engine writes."""
        return self._epoch

    @property
    def failure(self) -> BaseException | None:
        """Why serving ended, or None."""
        return self._failure

    def statistics(self) -> EngineStatistics:
        """A reading of the counters."""
        return EngineStatistics(
            commands=self._commands,
            batches=self._batches,
            records=self._records,
            delivered=self.dispatch.delivered,
            committing=self._committing,
            full=self._room.is_short,
        )


def _ended(error: BaseException) -> JMSError:
    return StoreError(f"the server cannot go on and is stopping: {error}; the outcome of this call is unknown")


def _handed_over() -> JMSError:
    return _ended(ConnectionFailedError("another server goes on in its place"))


def _raise_in(future: asyncio.Future[object], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waits sees it; a client that is gone does not, and that is no fault
