"""The exchange: sends and acknowledgements go to the server, one exchange at a time, with all that waits in each.

No thread is set apart for it.  A thread that waits for an outcome does the exchange itself if nobody is at it, and what
other threads have put into the outbox meanwhile goes along; else it waits and finds its outcome in the next one.  So a
synchronous send costs no change of threads, and many threads that send at once share their exchanges.

Sends that nobody waits for go when a chunk is full: the sending thread then looks whether the last answer has come,
takes it, puts the next exchange on the wire and goes on.  It does so itself because a thread in Python that computes
gives up the interpreter only every 5 ms: a helper thread would let the server stand idle that long in each exchange.

The connection's keeper thread calls `keep` for what is left when the application does something else.  An application
on an event loop has no thread that may wait: there the keeper does every exchange, and `on_progress` is told of each.

Rule 1: `_busy` is true while one thread uses the channel, and only that thread does.
Rule 2: `lock` guards the outbox and everything here, and is never held while the network is waited for.
Rule 3: whoever stops being busy wakes those who wait, and leaves no answer unread without somebody to read it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from rmimom.client.outbox import CHUNK_MESSAGES, Outbox, Ticket, again
from rmimom.client.receipt import Receipt, late
from rmimom.client.transport import CALL_TIMEOUT, Channel
from rmimom.errors import ConnectionFailedError, JMSError, StoreError, from_dict
from rmimom.frame import CommitRequest, Response, decode_response

log = logging.getLogger("rmimom.client")

_T = TypeVar("_T")

LINGER: Final = 0.005
"""Seconds that the keeper leaves an answer for the application's threads to take, see the top."""


class Exchange:
    """The way of one connection to its server; any thread may call it.

    `on_lost` is called, in the thread that found out, when the server does not answer any more.
    `patience` is how many seconds a call waits that was given no time limit.
    """

    def __init__(self, *, max_in_flight: int, patience: float, on_lost: Callable[[JMSError], None]) -> None:
        self.lock = threading.Lock()
        # A chunk never holds everything that may be in flight: one fills while another travels.
        self.outbox = Outbox(lambda: Receipt(self), chunk_messages=max(1, min(CHUNK_MESSAGES, max_in_flight // 2)))
        self.max_in_flight = max_in_flight
        self.patience = patience
        self.problem: JMSError | None = None
        """Why nothing can be sent: closed, or no server for too long."""
        self.on_progress: Callable[[], None] | None = None
        """Called under the lock when something was settled, or the way to the server came or went.

        Once it is set no caller of `advance` or `acknowledged` touches the network: the keeper does it for them.
        """
        self.on_refusal: Callable[[JMSError], object] = lambda _: None
        """Told of each acknowledgement that the server refused while nobody waited for it."""
        self._on_lost = on_lost
        self._progress = threading.Condition(self.lock)
        self._work = threading.Condition(self.lock)
        self.channel: Channel | None = None
        self._busy = False
        self._under_way = False
        self._rounds = 0
        self._waiters = 0
        self.keeper_idle = False
        self._keeper_called = False
        self.last_used = time.monotonic()

    # What producers and consumers call.

    def advance(self) -> None:
        """Take the last answer if it has come and put the next exchange on the wire, without waiting for either."""
        if self.on_progress is not None:
            self.nudge()  # what goes on the wire may have to wait for the server
            return
        with self.lock:
            if self._busy or self.channel is None:
                return
            self._busy = True
        try:
            self._round(0.0)
        finally:
            self._leave()

    def nudge(self) -> None:
        """There is something in the outbox that nobody waits for: let the keeper see to it."""
        with self.lock:
            if self.keeper_idle:
                self.keeper_idle = False
                self._work.notify()

    def acknowledged(self, pending: int) -> None:
        """An acknowledgement was put into the outbox, the `pending`-th of its consumer, and nobody waits for it."""
        if not pending % ACKS_TOGETHER:
            self.advance()
        elif self.keeper_idle:
            self.nudge()

    def waited(self) -> float:
        """Seconds that somebody has waited for an answer of the server; 0 if nobody does."""
        return time.monotonic() - self.last_used if self._busy or self._under_way else 0.0

    def make_room(self, timeout: float | None = None) -> None:
        """Wait until less than `max_in_flight` messages are unconfirmed."""
        outbox = self.outbox
        self._wait(lambda: outbox.unconfirmed < self.max_in_flight, timeout)

    def wait_for(self, ticket: Ticket, timeout: float | None = None) -> None:
        """Wait until the ticket is settled; raises ConnectionFailedError after `timeout` seconds."""
        self._wait(lambda: ticket.settled, timeout)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything in the outbox is settled."""
        self._wait(lambda: self.outbox.is_empty, timeout)

    def call(
        self,
        method: str,
        *arguments: object,
        timeout: float | None = None,
        patient: bool = True,
        then: Callable[[], None] | None = None,
    ) -> Any:
        """Call a method of the connection object, when no exchange is under way.

        While the server is lost it waits for the way to be found again, unless it shall not be `patient`: those who
        find the way must not wait for it.
        `then` is called under the lock, if the answer came and the connection to the server is still the same.
        Raises ConnectionFailedError if the outcome is unknown: such a call is not repeated by itself.
        """
        channel = self._seize(timeout, patient)
        try:
            answer = channel.call(method, *arguments)
            with self.lock:
                if self.channel is not channel:
                    raise ConnectionFailedError(f"the connection was lost during {method}; its outcome is unknown")
                if then is not None:
                    then()
                self.last_used = time.monotonic()
            return answer
        except BaseException as error:
            self._check(channel, error)
            raise
        finally:
            self._leave()

    def until_answered(self, work: Callable[[], _T]) -> _T:
        """Do what does no harm twice: if the server is lost meanwhile, again after it was found.

        Raises what `work` raises, and ConnectionFailedError if no server is found in time.
        """
        deadline = time.monotonic() + self.patience
        while True:
            channel = self.channel
            try:
                return work()
            except ConnectionFailedError:
                if channel is not None and self.channel is channel:
                    raise  # not because the server was lost
                self.wait_for_server(deadline - time.monotonic())

    def commit(self, request: CommitRequest, then: Callable[[], None]) -> JMSError | None:
        """Have a transaction committed; None when all of it is on disk, or the server's refusal.

        It is asked again after a lost answer: the server knows the transaction by its number.  `then` is called under
        the lock before those who wait are woken.  Raises ConnectionFailedError if the outcome stays unknown.
        """
        deadline = time.monotonic() + self.patience
        while True:
            channel = self._seize(None, patient=True)
            try:
                channel.commit(request)
                with self.lock:
                    self.last_used = time.monotonic()
                    then()
                return None
            except BaseException as error:
                self._check(channel, error)
                if isinstance(error, JMSError) and not channel.closed:
                    return error
                if not isinstance(error, ConnectionFailedError) or time.monotonic() >= deadline:
                    raise
                log.info("a transaction is committed again, its answer was lost: %s", error)
            finally:
                self._leave()

    def settle(self, ticket: Ticket, error: JMSError | None) -> None:
        """Settle a ticket that is not in the outbox, and wake those who wait for it."""
        with self.lock:
            ticket.settle(error)
            self._progressed()

    def lose(self, error: JMSError) -> None:
        """Somebody else found out that the server does not answer."""
        channel = self.channel
        if channel is not None:
            self._lose(channel, error)

    # What the keeper calls.

    def keep(self, pause: float) -> None:
        """Sleep until there is something to do for the keeper, at most `pause` seconds, and do it."""
        with self.lock:
            if not self._something_left() and not self._keeper_called:
                self.keeper_idle = True
                self._work.wait(pause)
                self.keeper_idle = False
            self._keeper_called = False
            if not self._something_left():
                return
            if self._under_way and self.on_progress is None:
                rounds = self._rounds
                self._work.wait(LINGER)
                if self._rounds != rounds or not self._something_left():
                    return
            self._busy = True
        try:
            self._round(CALL_TIMEOUT)
        finally:
            self._leave()

    def push(self) -> None:
        """Send what is in the outbox and wait for the outcome, once."""
        with self.lock:
            if self._busy or not self._something_left():
                return
            self._busy = True
        try:
            self._round(CALL_TIMEOUT)
        finally:
            self._leave()

    def wake_keeper(self) -> None:
        """End the keeper's sleep, or its next one, whatever there is to do."""
        with self.lock:
            self.keeper_idle = False
            self._keeper_called = True
            self._work.notify_all()

    def connect(self, channel: Channel) -> None:
        """Go on with a new channel, sending first what was under way on the old one."""
        with self.lock:
            self.channel = channel
            self.problem = None
            self.last_used = time.monotonic()
            self._progressed()

    def replace(self, channel: Channel) -> Channel | None:
        """Go on with another channel while nothing is under way; returns the one before."""
        try:
            before = self._seize(None, patient=False)
        except BaseException:
            channel.close()
            raise
        try:
            with self.lock:
                self.channel = channel
                self.last_used = time.monotonic()
        finally:
            self._leave()
        return before

    def disconnect(self, problem: JMSError | None = None) -> Channel | None:
        """Take the channel away; with a `problem` everything unconfirmed fails with it, and every later call."""
        with self.lock:
            channel, self.channel = self.channel, None
            self._under_way = False
            if problem is None:
                self.outbox.lost()
            else:
                self.problem = problem
                self.outbox.give_up(problem)
            self._progressed()
        return channel

    # The work.

    def _progressed(self) -> None:
        """Let those look who wait for an outcome; the lock is held."""
        if self._waiters:
            self._progress.notify_all()
        if self.on_progress is not None:
            self.on_progress()

    def _something_left(self) -> bool:
        return self.channel is not None and not self._busy and (self._under_way or self.outbox.has_work)

    def _wait(self, done: Callable[[], bool], timeout: float | None) -> None:
        limit = self.patience if timeout is None else timeout
        deadline = time.monotonic() + limit
        tried = False
        lock = self.lock
        lock.acquire()
        try:
            while not done():
                if self.problem is not None:
                    raise again(self.problem)
                remaining = deadline - time.monotonic()
                if self._something_left() and (remaining > 0 or not tried):
                    tried = True
                    self._busy = True
                    lock.release()
                    try:
                        self._round(remaining)
                    finally:
                        lock.acquire()
                        self._busy = False
                        if self._waiters:
                            self._progress.notify_all()
                    continue
                self._wait_for_progress(deadline, limit, limited=timeout is not None)
            if self.keeper_idle and self._something_left():
                self.keeper_idle = False
                self._work.notify()
        finally:
            lock.release()

    def _wait_for_progress(self, deadline: float, limit: float, *, limited: bool) -> None:
        """Wait, with the lock held, until somebody has done something; raises ConnectionFailedError at the deadline."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            if limited or self.channel is not None:
                raise late(limit)
            # The keeper will say when the search has lasted too long; it then withdraws what was not sent.
            remaining = 1.0
        self._waiters += 1
        try:
            self._progress.wait(remaining)
        finally:
            self._waiters -= 1

    def _round(self, wait: float) -> None:
        """Finish the exchange under way, or begin one and finish it; then begin the next, so that the server has work.

        An answer that does not come within `wait` seconds is left for later.  The caller is the one who is busy.
        """
        channel = self.channel
        if channel is None:
            return
        try:
            if not self._under_way:
                self._begin(channel)
            if self._under_way and (wait >= CALL_TIMEOUT or channel.readable(max(0.0, wait))):
                self._finish(channel)
                self._begin(channel)
        except BaseException as error:
            self._check(channel, error)
            if not isinstance(error, ConnectionFailedError):
                raise

    def _check(self, channel: Channel, error: BaseException) -> None:
        """If the error closed the channel, the server is lost.  Ctrl-C closes it, too: an answer is outstanding."""
        if channel.closed:
            lost = error if isinstance(error, JMSError) else ConnectionFailedError(f"a call was interrupted: {error!r}")
            self._lose(channel, lost)

    def _begin(self, channel: Channel) -> None:
        with self.lock:
            if self.channel is not channel:
                return
            request = self.outbox.start()
            if request is None:
                return
            self._under_way = True
        channel.send_exchange(request)

    def _finish(self, channel: Channel) -> None:
        try:
            answer = channel.receive_exchange()
        except JMSError as error:
            if channel.closed:
                raise
            # The exchange as a whole was refused: that is the answer to each part of it.
            response = self._refusal(error)
        else:
            try:
                response = decode_response(answer)
            except JMSError as error:
                channel.close()
                raise ConnectionFailedError(error.text) from error
        for outcome in response.outcomes:
            # The number of such a send must not go to another message: the server may have stored it before it failed.
            if outcome is not None and isinstance(problem := from_dict(outcome), StoreError):
                channel.close()
                raise ConnectionFailedError(problem.text)
        with self.lock:
            if self.channel is not channel:
                return
            self._under_way = False
            self._rounds += 1
            self.last_used = time.monotonic()
            try:
                unheard = self.outbox.finish(response)
            except ValueError as error:
                channel.close()
                raise ConnectionFailedError(f"the server's answer makes no sense: {error}") from None
            self._progressed()
        for refusal in unheard:
            log.warning("the server refused an acknowledgement: %s", refusal)
            self.on_refusal(refusal)

    def _refusal(self, error: JMSError) -> Response:
        with self.lock:
            return Response([error.to_dict()] * self.outbox.parts_under_way)

    def _lose(self, channel: Channel, error: JMSError) -> None:
        with self.lock:
            if self.channel is not channel:
                return
            self.channel = None
            self._under_way = False
            self.outbox.lost()
        channel.close()
        self._on_lost(error)

    def wait_for_server(self, timeout: float) -> None:
        """Wait until there is a way to a server; raises ConnectionFailedError after `timeout` seconds."""
        self._wait(lambda: self.channel is not None, timeout)

    def _seize(self, timeout: float | None, patient: bool) -> Channel:
        """Wait until no exchange is under way and nobody is busy, and be the one who is."""
        limit = self.patience if timeout is None else timeout
        deadline = time.monotonic() + limit
        while True:
            with self.lock:
                if self.problem is not None:
                    raise again(self.problem)
                if self.channel is None and not patient:
                    raise ConnectionFailedError("the server is lost")
                if self.channel is not None and not self._busy:
                    self._busy = True
                    channel = self.channel
                    if not self._under_way:
                        return channel
                else:
                    self._wait_for_progress(deadline, limit, limited=timeout is not None)
                    continue
            try:
                self._finish(channel)
                return channel
            except BaseException as failure:
                self._check(channel, failure)
                self._leave()
                if not isinstance(failure, ConnectionFailedError):
                    raise

    def _leave(self) -> None:
        """Be busy no more."""
        with self.lock:
            self._busy = False
            if self._waiters:
                self._progress.notify_all()
            if self.keeper_idle and self._something_left():
                self.keeper_idle = False
                self._work.notify()


ACKS_TOGETHER: Final = 250
"""Acknowledgements of one consumer that are sent without waiting for the keeper."""
