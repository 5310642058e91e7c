"""A synchronous session whose arrivals ring on an event loop, and whose observers are told there."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from rmimom.aio.bridge import Bridge, ring, rung
from rmimom.aio.message import Message
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.outbox import Ticket
from rmimom.client.session import Session
from rmimom.client.session_thread import SessionThread
from rmimom.client.usage import Usage

if TYPE_CHECKING:
    from rmimom.client.connection import Connection
    from rmimom.client.consumer import Consumer, Listener

_T = TypeVar("_T")


class _Bell(threading.Condition):
    """The condition for which threads of a session wait, that also rings on the loop."""

    def __init__(self, lock: threading.Lock, on_ring: Callable[[], None]) -> None:
        super().__init__(lock)
        self._on_ring = on_ring

    def notify_all(self) -> None:
        super().notify_all()
        self._on_ring()


class _AnyTask(Usage):
    """The tasks of a loop may share a session, and the bridge has calls of it made in other threads."""

    __slots__ = ()

    def check(self) -> None:
        """Nobody is a stranger."""

    def is_elsewhere(self) -> bool:
        """Nobody is elsewhere."""
        return False

    def dedicate(self, home: int) -> None:
        """Nobody has it alone."""

    def __enter__(self) -> Usage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class LoopSession(Session):
    """The session under an asynchronous one."""

    _message_type = Message

    def __init__(self, connection: Connection, mode: AcknowledgeMode, bridge: Bridge) -> None:
        super().__init__(connection, mode)
        self.bridge = bridge
        self._armed = False
        self._waiting: list[asyncio.Future[None]] = []
        self._last: ThreadFuture[Any] | None = None
        self._arrived = _Bell(self._lock, self._on_ring)
        self._usage = _AnyTask()
        self._thread: SessionTask = SessionTask(self)

    def _create_sibling(self) -> LoopSession:
        return self._connection._add_session(
            LoopSession(self._connection, AcknowledgeMode.AUTO_ACKNOWLEDGE, self.bridge)
        )

    # Arrivals.

    async def arrival(self, seen: Callable[[], bool], timeout: float | None) -> None:
        """Return when something arrived or happened to the session, after `timeout` seconds, or if `seen` says so.

        It is asked when nothing that happens can be missed any more.
        """
        future = self.bridge.loop.create_future()
        self._waiting.append(future)
        self._armed = True
        try:
            if not seen():
                await rung(future, timeout)
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def _on_ring(self) -> None:
        """Any thread, under the lock."""
        if self._armed:
            self._armed = False
            self.bridge.soon(self._wake)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            ring(future)

    # Calls that wait.

    async def in_thread(
        self, call: Callable[..., _T], *arguments: object, undo: Callable[[_T], object] | None = None
    ) -> _T:
        """Call something of the session in the pool, one call at a time, also after one whose caller was cancelled."""
        await self.quiet()
        future = self._last = self.bridge.submit(call, *arguments)
        return await self.bridge.outcome(future, undo)

    async def quiet(self) -> None:
        """Return when no call of the session is under way in the pool."""
        while self._last is not None and not self._last.done():
            await asyncio.wait([asyncio.wrap_future(self._last)])

    @property
    def is_busy(self) -> bool:
        """Whether a call of a transacted session is under way: what is sent meanwhile must not get into its middle."""
        return self._transaction is not None and self._last is not None and not self._last.done()

    # Acknowledging.

    async def acknowledge_one(self, consumer: Consumer, message: Message) -> None:
        """Carry out `Message.acknowledge`."""
        await self._confirmed(self._acknowledging.begin(consumer, message))

    async def acknowledge_all(self) -> None:
        """Carry out `Context.acknowledge`."""
        self._check_open()
        await self._confirmed(self._acknowledging.begin_all())

    async def _confirmed(self, tickets: list[Ticket]) -> None:
        if tickets:
            self._connection._exchange.nudge()
        for ticket in tickets:
            await self.bridge.settled(ticket)
        for ticket in tickets:
            ticket.check()
        if self._lingering.has_done:
            await self.in_thread(self._lingering.end_done)


class SessionTask(SessionThread):
    """Tells observers on the loop, in a task of its own: from the first observer until the session is closed."""

    def __init__(self, session: LoopSession) -> None:
        super().__init__(session)
        self._loop_session = session
        self._task: asyncio.Task[None] | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, if it has not begun; any thread."""
        self._loop_session.bridge.soon(self._begin)

    def _begin(self) -> None:
        if self._task is None:
            self._task = self._loop_session.bridge.loop.create_task(self._observe(), name="rmimom-session")
            # Not at the end of `_observe`: a task that is cancelled before its first step never gets there.
            self._task.add_done_callback(lambda _: self._ended.set())
        with self._lock:
            self._arrived.notify_all()

    @property
    def is_mine(self) -> bool:
        """Whether the caller runs in this task, as observers do."""
        try:
            return self._task is not None and asyncio.current_task() is self._task
        except RuntimeError:  # another thread, without a loop
            return False

    def tells_of(self, consumer: Consumer) -> bool:
        """Whether the caller is an observer that was called with a message of this consumer."""
        return self.is_mine and self._telling is consumer

    def join(self) -> None:
        """Wait, in a thread, for the task to end after the session was closed."""
        while self._task is not None and not self._ended.wait(1.0) and not self._loop_session.bridge.loop.is_closed():
            pass  # a loop that ended in the middle ends no task

    async def _observe(self) -> None:
        session = self._loop_session
        found: tuple[Consumer, Message, list[Listener]] | None = None

        def look() -> bool:
            nonlocal found
            with self._lock:
                found = self._next_for_listeners()  # type: ignore[assignment]  # of our own kind of message
                self._telling = found[0] if found is not None else None
            return found is not None or session._closing

        while True:
            if not look():
                await session.arrival(look, None)
            if found is None:
                if session._closing:
                    return
                continue
            try:
                pause = await self._tell_here(*found)
                while self._closed_by_observer:
                    await session.bridge.run(self._closed_by_observer.pop()._end)
            finally:
                with self._lock:
                    self._telling = None
                    self._arrived.notify_all()
            if pause:
                await self._rest(pause)

    async def _tell_here(self, consumer: Consumer, message: Message, listeners: list[Listener]) -> float:
        try:
            for listener in listeners:
                answer = listener(message)
                if inspect.isawaitable(answer):
                    await answer
        except asyncio.CancelledError:
            if self._task is None or self._task.cancelling():
                raise
            # Not we were cancelled, but what the observer waited for.
            failure: Exception = RuntimeError("something that the observer waited for was cancelled")
        except Exception as error:  # noqa: BLE001  # logged where it is counted
            failure = error
        else:
            self._told(consumer, message)
            return 0.0
        return await self._loop_session.in_thread(self._failed, consumer, message, failure)

    async def _rest(self, pause: float) -> None:
        session, loop = self._loop_session, self._loop_session.bridge.loop
        deadline = loop.time() + pause
        while not session._closing and (remaining := deadline - loop.time()) > 0:
            await session.arrival(lambda: session._closing, remaining)
