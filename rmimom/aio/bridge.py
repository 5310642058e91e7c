"""The bridge between an event loop and the threads of a connection (docs/design/0011).

The protocol is the synchronous client's.  What never waits there is called on the loop: putting messages into the
outbox, taking them from an intake.  What waits is done elsewhere and the loop is told:

- outcomes come with the exchanges of the keeper thread, which rings once for all that an exchange settled;
- calls with an answer of their own run in a small pool of threads;
- what may wait for an observer (`close`, `stop`) gets a thread for itself, for observers need the pool.

Rule 1: everything here but `soon` and `_ring` runs on the loop.
Rule 2: whoever is going to wait says so first and looks after that: then no ring between the two is missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from rmimom.client.exchange import Exchange
from rmimom.client.outbox import Ticket, again
from rmimom.client.receipt import late
from rmimom.errors import IllegalStateError

_T = TypeVar("_T")

THREADS: Final = 8
"""Calls of one connection that wait for their answers at once; the server answers them one after the other."""


class Bridge:
    """One connection's bridge to the loop in which it is made."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.exchange: Exchange
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="rmimom-aio")
        self._rung = False
        self._tickets: dict[Ticket, list[asyncio.Future[None]]] = {}
        self._rooms: deque[asyncio.Future[None]] = deque()

    def attach(self, exchange: Exchange) -> None:
        """Be the bridge of this exchange."""
        self.exchange = exchange
        with exchange.lock:
            exchange.on_progress = self._ring

    def close(self) -> None:
        """Nothing is called any more; threads that still work end when they are done."""
        self._pool.shutdown(wait=False)

    def check_loop(self) -> None:
        """Raise IllegalStateError in another loop than the connection's."""
        if asyncio.get_running_loop() is not self.loop:
            raise IllegalStateError("the connection belongs to another event loop; create one in the loop that uses it")

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Call something on the loop, from any thread; not at all if the loop is closed."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(call, *arguments)

    # Calls that wait.

    def submit(self, call: Callable[..., _T], *arguments: object) -> ThreadFuture[_T]:
        """Have something called in the pool."""
        self.check_loop()
        try:
            return self._pool.submit(call, *arguments)
        except RuntimeError:  # the pool is shut down
            raise IllegalStateError(
                "the connection is closed; create another one from the factory", connection="closed"
            ) from None

    async def run(self, call: Callable[..., _T], *arguments: object, undo: Callable[[_T], object] | None = None) -> _T:
        """Call something in the pool and wait for its outcome; see `outcome`."""
        return await self.outcome(self.submit(call, *arguments), undo)

    async def run_apart(self, call: Callable[[], None]) -> None:
        """Call something in a thread of its own and wait for its outcome; a call that is cancelled goes on."""
        self.check_loop()
        done: ThreadFuture[None] = ThreadFuture()

        def work() -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
                done.set_exception(error)
            else:
                done.set_result(None)

        done.set_running_or_notify_cancel()
        threading.Thread(target=work, name="rmimom-aio-close", daemon=True).start()
        await self.outcome(done)

    async def outcome(self, future: ThreadFuture[_T], undo: Callable[[_T], object] | None = None) -> _T:
        """The outcome of a call in the pool.

        If the caller is cancelled, the call goes on; `undo` is called in the pool with what it returns.
        """
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else hears of it
            if undo is not None and not future.cancelled():
                undoing = undo

                def drop(found: ThreadFuture[_T]) -> None:
                    if found.exception() is None:
                        undoing(found.result())

                # The future may have been done already; what undoes waits, so it cannot be done here.
                with contextlib.suppress(RuntimeError):
                    self._pool.submit(_after, future, drop)
            raise

    # Outcomes that come with an exchange.

    async def settled(self, ticket: Ticket, timeout: float | None = None) -> None:
        """Return when the ticket is settled; raises what `Exchange.wait_for` raises."""
        exchange = self.exchange
        limit = exchange.patience if timeout is None else timeout
        deadline = self.loop.time() + limit
        while self._is_open(ticket):
            if exchange.problem is not None:
                raise again(exchange.problem)
            remaining = deadline - self.loop.time()
            if remaining <= 0:
                if timeout is not None or exchange.channel is not None:
                    raise late(limit)
                remaining = 1.0  # the keeper will say when the search has lasted too long
            future = self.loop.create_future()
            waiting = self._tickets.setdefault(ticket, [])
            waiting.append(future)
            try:
                if self._is_open(ticket) and exchange.problem is None:
                    await rung(future, remaining)
            finally:
                if future in waiting:
                    waiting.remove(future)
                    if not waiting:
                        self._tickets.pop(ticket, None)

    async def room(self) -> None:
        """Return when less than `max_in_flight` messages are unconfirmed; raises what `Exchange.make_room` raises."""
        exchange = self.exchange
        deadline = self.loop.time() + exchange.patience
        while self._is_full():
            if exchange.problem is not None:
                raise again(exchange.problem)
            remaining = deadline - self.loop.time()
            if remaining <= 0:
                if exchange.channel is not None:
                    raise late(exchange.patience)
                remaining = 1.0
            future = self.loop.create_future()
            self._rooms.append(future)
            try:
                if self._is_full():
                    await rung(future, remaining)
            except asyncio.CancelledError:
                if future.done():
                    self._look()  # the room is for somebody else
                raise
            finally:
                if future in self._rooms:
                    self._rooms.remove(future)

    @staticmethod
    def _is_open(ticket: Ticket) -> bool:
        return not ticket.settled

    def _is_full(self) -> bool:
        return self.exchange.outbox.unconfirmed >= self.exchange.max_in_flight

    def _ring(self) -> None:
        """An exchange settled something; any thread, under the lock of the exchange."""
        if not self._rung and (self._tickets or self._rooms):
            self._rung = True
            self.soon(self._look)

    def _look(self) -> None:
        """Wake those who need not wait any more."""
        self._rung = False
        ended = self.exchange.problem is not None
        for ticket in [ticket for ticket in self._tickets if ended or ticket.settled]:
            for future in self._tickets.pop(ticket):
                ring(future)
        free = self.exchange.max_in_flight - self.exchange.outbox.unconfirmed
        while self._rooms and (free > 0 or ended):
            ring(self._rooms.popleft())
            free -= 1


def _after(future: ThreadFuture[_T], then: Callable[[ThreadFuture[_T]], object]) -> None:
    with contextlib.suppress(BaseException):
        future.exception()
        then(future)


def ring(future: asyncio.Future[None]) -> None:
    """Wake who waits for this future, if anybody does."""
    if not future.done():
        future.set_result(None)


async def rung(future: asyncio.Future[None], timeout: float | None) -> None:
    """Return when the future is rung, or after `timeout` seconds."""
    if timeout is None:
        await future
        return
    timer = future.get_loop().call_later(timeout, ring, future)
    try:
        await future
    finally:
        timer.cancel()
