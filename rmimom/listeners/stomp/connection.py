"""One TCP connection of a STOMP client: bytes to its session, requests of the session to the engine, and back.

What is written in one turn of the loop is written at once.  The connection does not read on while

- the client does not read what is written (it would only ask for more),
- messages of a certain size wait to be safe,
- or the session is blocked, by a login for example, and enough waits behind it.

Time limits for CONNECT and for frames that do not get on are kept by the listener's sweep; heart-beats have a timer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from rmimom.dispatch import ConnectionInfo
from rmimom.errors import JMSError, ResourceAllocationError, StoreError
from rmimom.frame import Delivered
from rmimom.stomp.codec import BEAT
from rmimom.stomp.requests import Answered, Ask, Login, Request
from rmimom.stomp.session import Phase, Session

if TYPE_CHECKING:
    from rmimom.listeners.stomp.listener import StompListener

log = logging.getLogger(__name__)

_WRITE_HIGH: Final = 512 * 1024
"""Bytes that wait for the client to read before it counts as one that does not."""
_READ_AHEAD: Final = 256 * 1024
"""Bytes that are taken while the session is blocked."""
_EARLY: Final = 0.8
"""Of the agreed time, when a beat is sent: it has to arrive within that time."""
_TOLERANCE: Final = 2.0
"""Of the agreed time, how long a client may be silent (STOMP 1.2, Heart-beating: allow for a margin)."""


class StompConnection(asyncio.Protocol):
    """The server's end of one client's connection."""

    def __init__(self, listener: StompListener) -> None:
        self._listener = listener
        self._loop = listener.loop
        self._name = secrets.token_hex(16)
        self.session = Session(self._name, listener.settings, listener.clock)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._work_asked = False
        self._reading_paused = False
        self._heard = self._loop.time()
        self._said = self._heard
        self._beats: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended = False
        self._linger = True
        self._finishing = False
        self.peer = ""
        self.received = 0

    def __repr__(self) -> str:
        user = f" of {self.session.user!r}" if self.session.user else ""
        return f"<STOMP connection{user} from {self.peer}>"

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there; its CONNECT is awaited."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        endpoint = transport.get_extra_info("socket")
        if endpoint is not None:
            try:
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            except OSError:
                pass  # it is gone already; connection_lost follows
        address = transport.get_extra_info("peername") or ("", 0)
        self.peer = f"{address[0]}:{address[1]}"
        refusal = self._listener.connection_made(self)
        if refusal:
            self._listener.refused += 1
            self.session.refuse(ResourceAllocationError(refusal), close=True)
            self._work()
        else:
            listener = self._listener
            info = ConnectionInfo("stomp", self.peer, listener.clock.now(), self._close)
            listener.engine.dispatch.attach(self._name, self, info)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.received += len(data)
        self._heard = self._loop.time()
        if not self.session.closing:
            self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we closed."""
        self._ended = True
        if self._beats is not None:
            self._beats.cancel()
        for task in self._tasks:
            task.cancel()
        self._listener.connection_lost(self)
        engine = self._listener.engine
        engine.dispatch.detach(self._name)
        reason = self.session.closing or (str(exc) if exc else "the client closed it")
        if self.session.phase is not Phase.CONNECTING:
            log.info("%r ends: %s", self, reason)
        for command in self.session.end():
            engine.tell(command)

    def pause_writing(self) -> None:
        """The client does not read."""
        self.session.paused = True
        self._listener.writing_paused(self)
        self._govern_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self.session.paused = False
        self._listener.writing_resumed(self)
        self._ask_for_work()

    # What the engine tells.

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Messages for the client."""
        self.session.deliver(deliveries)
        self._ask_for_work()

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        """The server closed a consumer by itself."""
        self.session.consumer_closed(consumer, error)
        self._ask_for_work()

    # What the listener asks.

    def shut(self, reason: str) -> None:
        """Tell the client that it is over, and close when that is written."""
        self._linger = False
        self.session.refuse(ResourceAllocationError(reason), close=True)
        self._work()

    async def _close(self, reason: str) -> None:
        self.shut(reason)

    def abort(self, reason: str) -> None:
        """Close at once, whatever is not written yet."""
        log.warning("%r is cut off: %s", self, reason)
        self.session.closing = self.session.closing or reason
        self._transport.abort()

    @property
    def name(self) -> str:
        """How the core knows the client, empty if it does not."""
        return self._name if self.session.in_core else ""

    @property
    def address(self) -> str:
        """Where the client comes from."""
        return self.peer

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client to read."""
        return self._transport.get_write_buffer_size()

    @property
    def waits_for_client(self) -> bool:
        """Whether the rest of something that the client began is awaited."""
        return not self._reading_paused and self.session.incomplete

    # The work.

    def _take(self, data: bytes) -> None:
        """Bytes of STOMP came."""
        self.session.receive(data)
        self._work()

    def _ask_for_work(self) -> None:
        """Work when everything that this round of the loop brings is there."""
        if not self._work_asked and not self._ended:
            self._work_asked = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Carry out what the session asks, and write what it has to say."""
        self._work_asked = False
        session = self.session
        if self._ended:
            session.take_requests()
            return
        self._carry_out(session.take_requests())
        out = session.data_to_send()
        if out:
            self._said = self._loop.time()
            self._write(out)
            limit = self._listener.limits.unsent_bytes
            if self.unsent > limit:
                self._listener.cut_off(self, f"more than {limit} bytes wait for it to read")
                return
        if session.closing:
            if not self._finishing:
                self._finishing = True
                self._listener.finishing(self)
                self._finish()
            return
        if not session.paused:
            session.written()
            self._carry_out(session.take_requests())
        self._govern_reading()

    def _write(self, frames: list[bytes]) -> None:
        self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _write_beat(self) -> None:
        self._transport.write(BEAT)

    def _finish(self) -> None:
        # Closed while bytes of the client wait to be read, the connection would be reset and the ERROR lost with it.
        if self._linger and self.session.closing != "the client disconnected" and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _carry_out(self, requests: Iterable[Request]) -> None:
        engine = self._listener.engine
        for request in requests:
            if isinstance(request, Ask):
                if request.answered is None:
                    engine.tell(request.command)
                else:
                    engine.submit(request.command).add_done_callback(partial(self._answered, request.answered))
            elif isinstance(request, Login):
                self._start(self._listener.admit(request.user, request.passcode), request.answered)
            else:
                self._start(engine.frames(request.ids), request.answered)

    def _start(self, work: Coroutine[Any, Any, object], answered: Answered) -> None:
        task: asyncio.Task[object] = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(partial(self._answered, answered))

    def _answered(self, answered: Answered, done: asyncio.Future[object]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if self._ended:
            return
        if error is None:
            answered(done.result(), None)
        else:
            answered(None, error if isinstance(error, JMSError) else StoreError(f"the server failed: {error}"))
        session = self.session
        if session.phase is Phase.CONNECTED and self._beats is None:
            self._listener.greeted(self)
            self._start_beats()
        if not session.blocked and not session.closing and session.buffered:
            session.read_on()
        self._ask_for_work()

    def _govern_reading(self) -> None:
        """Read, or let the client wait."""
        session = self.session
        hold = (
            session.paused
            or session.unanswered > self._listener.limits.unanswered_bytes
            or (session.blocked and session.buffered > _READ_AHEAD)
        )
        if hold != self._reading_paused and not self._transport.is_closing():
            self._reading_paused = hold
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
                self._heard = self._loop.time()
        if not hold and session.incomplete:
            self._listener.frame_incomplete(self)
        else:
            self._listener.frame_complete(self)

    # Heart-beats.

    def _start_beats(self) -> None:
        self._beats = self._loop.call_later(0, self._beat)

    def _beat(self) -> None:
        """Say that we are there if it is time, and see whether the client did."""
        if self._ended or self.session.closing:
            return
        ours, theirs = (milliseconds / 1000 for milliseconds in self.session.heartbeat)
        now = self._loop.time()
        wait: list[float] = []
        if ours:
            due = self._said + ours * _EARLY
            if due <= now:
                self._said = now
                self._write_beat()
                due = now + ours * _EARLY
            wait.append(due - now)
        if theirs:
            if self._reading_paused:
                self._heard = now  # it may speak, we do not listen
            limit = self._heard + theirs * _TOLERANCE
            if limit <= now:
                self._listener.cut_off(self, f"no heart-beat for {now - self._heard:.1f} s; {theirs:g} s were agreed")
                return
            wait.append(limit - now)
        if wait:
            self._beats = self._loop.call_later(max(min(wait), 0.01), self._beat)
