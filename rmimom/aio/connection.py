"""A connection on an event loop: the synchronous one, whose keeper does all exchanges (docs/design/0011)."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

from rmimom.aio.bridge import Bridge
from rmimom.aio.context import Context
from rmimom.aio.domains import QueueSession, TopicSession
from rmimom.aio.loop_session import LoopSession
from rmimom.aio.opening import Opening
from rmimom.aio.session import Session
from rmimom.client import connection as client
from rmimom.client.connection import CLOSE_TIMEOUT
from rmimom.client.event import ConnectionEvent
from rmimom.client.metadata import ConnectionMetadata
from rmimom.client.mode import AUTO_ACKNOWLEDGE, AcknowledgeMode, mode_of
from rmimom.client.reporter import ExceptionListener, call_of
from rmimom.errors import JMSError

log = logging.getLogger("rmimom.client")

_S = TypeVar("_S", bound=Session)


class Connection:
    """A connection to the server; made by a ConnectionFactory, and for the tasks of one loop."""

    def __init__(self, connection: client.Connection, bridge: Bridge) -> None:
        self._connection = connection
        self._bridge = bridge
        bridge.attach(connection._exchange)
        self._listeners: list[Callable[[ConnectionEvent], Awaitable[object] | None]] = []
        self._news: asyncio.Queue[ConnectionEvent | JMSError] = asyncio.Queue()
        self._exception_listener: ExceptionListener | Callable[[JMSError], object] | None = None
        self._teller: asyncio.Task[None] | None = None

    @property
    def client_id(self) -> str:
        """Whose durable subscriptions this connection uses: its client id, or its user (§6.1.2).

        A client id is given to `create_connection`; here it cannot be set, for that would wait.
        """
        return self._connection.client_id

    @property
    def delivery(self) -> str:
        """How messages come: "callback" or "pull"; empty before the first consumer."""
        return self._connection.delivery

    @property
    def server(self) -> str:
        """The server's name and version."""
        return self._connection.server

    @property
    def metadata(self) -> ConnectionMetadata:
        """Which version of the specification this is, by whom, and which properties named JMSX it knows (§6.1.6)."""
        return self._connection.metadata

    def create_session(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Opening[Session]:
        """A session, which acknowledges as `mode` says, or is `transacted`; see `rmimom.Connection.create_session`."""
        return self._opening(Session, mode, transacted)

    def create_queue_session(
        self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False
    ) -> Opening[QueueSession]:
        """A session that refuses what is about topics and subscriptions (§9.2)."""
        return self._opening(QueueSession, mode, transacted)

    def create_topic_session(
        self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False
    ) -> Opening[TopicSession]:
        """A session that refuses what is about queues and browsers (§9.2)."""
        return self._opening(TopicSession, mode, transacted)

    def _opening(self, kind: type[_S], mode: AcknowledgeMode, transacted: bool) -> Opening[_S]:
        async def make() -> _S:
            return kind(self._add_session(mode, transacted))

        return Opening(make)

    def _add_session(self, mode: AcknowledgeMode, transacted: bool) -> LoopSession:
        self._bridge.check_loop()
        connection = self._connection
        connection._check_open()
        return connection._add_session(LoopSession(connection, mode_of(mode, transacted=transacted), self._bridge))

    def create_context(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Opening[Context]:
        """A context with a session of its own on this connection; see `rmimom.Connection.create_context`."""

        async def make() -> Context:
            return Context(self, Session(self._add_session(mode, transacted)))

        return Opening(make)

    async def start(self) -> None:
        """Begin, or go on, to deliver messages (§6.1.4).  Twice is harmless."""
        self._bridge.check_loop()
        self._connection.start()

    async def stop(self) -> None:
        """Deliver nothing more until `start`; returns when no observer is running.  Sending goes on (§6.1.5)."""
        for session in list(self._connection._sessions):
            session._thread.refuse_here("stop its own connection")
        await self._bridge.run_apart(self._connection.stop)

    def on_event(self, listener: Callable[[ConnectionEvent], Awaitable[object] | None]) -> None:
        """Call `listener` on the loop when the server is lost, back, or the connection closed.

        The event says which server it is about.  What the listener returns is awaited, if it can be; one event is told
        after the other.
        """
        self._begin_telling()
        self._listeners.append(listener)

    @property
    def exception_listener(self) -> ExceptionListener | Callable[[JMSError], object] | None:
        """Who is told on the loop of errors that no caller hears; see `rmimom.Connection.exception_listener`.

        What it returns is awaited, if it can be.
        """
        return self._exception_listener

    @exception_listener.setter
    def exception_listener(self, listener: ExceptionListener | Callable[[JMSError], object] | None) -> None:
        if listener is not None:
            call_of(listener)
        self._begin_telling()
        self._connection.exception_listener = None if listener is None else self._hear
        self._exception_listener = listener

    def _hear(self, news: ConnectionEvent | JMSError) -> None:
        """Something is to be told; any thread."""
        self._bridge.soon(self._news.put_nowait, news)

    def _begin_telling(self) -> None:
        self._bridge.check_loop()
        if self._teller is None:
            self._connection.on_event(self._hear)
            self._teller = self._bridge.loop.create_task(self._tell(), name="rmimom-events")

    async def _tell(self) -> None:
        while True:
            news = await self._news.get()
            listeners: list[Callable[[Any], object]]
            if isinstance(news, ConnectionEvent):
                listeners = list(self._listeners)
            else:
                listener = self._exception_listener
                listeners = [] if listener is None else [call_of(listener)]
            for call in listeners:
                try:
                    answer = call(news)
                    if inspect.isawaitable(answer):
                        await answer
                except Exception:
                    log.exception("a listener failed with %r", news)
            if isinstance(news, ConnectionEvent) and news.kind == "closed":
                return

    async def close(self) -> None:
        """Close the connection with all its sessions; see `rmimom.Connection.close`.

        Waits for observers, for what is not confirmed and for listeners of events.  If cancelled, it is closed all the
        same.  Raises IllegalStateError if an observer of the connection calls it.
        """
        for session in list(self._connection._sessions):
            session._refuse_in_callbacks("close its own connection")
        try:
            await self._bridge.run_apart(self._connection.close)
        finally:
            self._bridge.close()
        if self._teller is not None and self._teller is not asyncio.current_task():
            await asyncio.wait([self._teller], timeout=CLOSE_TIMEOUT)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._connection)
