"""A context on an event loop: a connection and one of its sessions in one object (Jakarta Messaging 3.1 §2.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

from rmimom import message as client_message
from rmimom.aio.browser import QueueBrowser
from rmimom.aio.consumer import Consumer
from rmimom.aio.context_producer import ContextProducer
from rmimom.aio.message import Message
from rmimom.aio.opening import Opening
from rmimom.aio.producer import Producer
from rmimom.aio.requestor import Requestor
from rmimom.aio.session import Session
from rmimom.aio.temporary import TemporaryQueue, TemporaryTopic
from rmimom.client.context import queue_of, source_of, topic_of
from rmimom.client.context_producer import destination_of
from rmimom.client.messages import MessageMaker
from rmimom.client.mode import AUTO_ACKNOWLEDGE, AcknowledgeMode
from rmimom.client.options import RequestOptions, SendOptions
from rmimom.destination import Destination, Queue, Topic

if TYPE_CHECKING:
    from rmimom.aio.connection import Connection
    from rmimom.client.event import ConnectionEvent


class Context(MessageMaker):
    """A connection and one of its sessions; see `rmimom.Context`.

    Made by `rmimom.aio.connect`, a factory, a Connection or another context.  Tasks share it as they do a Session.
    """

    def __init__(self, connection: Connection, session: Session, *, family: list[Context] | None = None) -> None:
        self.connection: Connection = connection
        self.session: Session = session
        self.autostart = True
        self._family = family
        """All contexts for which the connection was made; None if its maker closes it."""
        if family is not None:
            family.append(self)
        session_below = session._session
        self._sender = Producer(session_below.create_producer(), session_below)

    # The connection.

    @property
    def client_id(self) -> str:
        """Whose durable subscriptions are used: the connection's client id, or its user (§6.1.2)."""
        return self.connection.client_id

    def create_context(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Opening[Context]:
        """Another context, with a session of its own, on the same connection."""

        async def make() -> Context:
            return Context(
                self.connection, Session(self.connection._add_session(mode, transacted)), family=self._family
            )

        return Opening(make)

    async def start(self) -> None:
        """Begin, or go on, to deliver messages; see `Connection.start`."""
        await self.connection.start()

    async def stop(self) -> None:
        """Deliver nothing more until `start`; see `Connection.stop`."""
        await self.connection.stop()

    def on_event(self, listener: Callable[[ConnectionEvent], Awaitable[object] | None]) -> None:
        """Call `listener` when the server is lost, back, or the connection closed; see `Connection.on_event`."""
        self.connection.on_event(listener)

    async def close(self) -> None:
        """Close the session, and the connection with its last context; see `rmimom.Context.close`."""
        try:
            await self.session.close()
        finally:
            if self._family is not None and self in self._family:
                self._family.remove(self)
                if not self._family:
                    await self.connection.close()

    async def __aenter__(self) -> Context:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Context of {self.session!r} on {self.connection!r}>"

    def _check_open(self) -> None:
        self.session._check_open()

    # Destinations.

    def queue(self, name: str) -> Queue:
        """The queue of this name; see `Session.queue`."""
        return self.session.queue(name)

    def topic(self, name: str) -> Topic:
        """The topic of this name, or a pattern of topics; see `Session.topic`."""
        return self.session.topic(name)

    async def create_temporary_queue(self) -> TemporaryQueue:
        """A new queue for as long as the connection lasts; see `Session.create_temporary_queue`."""
        return await self.session.create_temporary_queue()

    async def create_temporary_topic(self) -> TemporaryTopic:
        """A new topic for as long as the connection lasts; see `Session.create_temporary_topic`."""
        return await self.session.create_temporary_topic()

    # Sending.

    def create_producer(self) -> ContextProducer:
        """A producer to any destination, whose `set` gives headers and properties to all that it sends."""
        return ContextProducer(self._sender)

    async def send(
        self,
        destination: Destination | str,
        body: object,
        *,
        timeout: float | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Send a message and return when it is on the server's disk; see `Producer.send` for options and errors."""
        await self._sender.send(body, destination=destination_of(destination), timeout=timeout, **options)

    # Questions and answers.

    def create_requestor(self, destination: Destination | str) -> Opening[Requestor]:
        """Who sends requests to `destination` and waits for their replies; see `Session.create_requestor`."""

        async def make() -> Requestor:
            requestor = await self.session.create_requestor(destination_of(destination))
            await self._start()
            return requestor

        return Opening(make)

    async def reply(self, request: client_message.Message, body: object, **options: Unpack[RequestOptions]) -> None:
        """Send a reply to where the request wants it; see `Session.reply`."""
        await self.session.reply(request, body, **options)

    # Receiving.

    def create_consumer(
        self,
        source: Destination | str,
        *,
        selector: str | None = None,
        no_local: bool = False,
        prefetch: int | None = None,
    ) -> Opening[Consumer]:
        """A consumer of a queue, a topic or a pattern of topics; see `rmimom.Context.create_consumer`."""

        async def make() -> Consumer:
            found = source_of(source)
            if isinstance(found, Topic):
                return await self.session.create_subscriber(
                    found, selector=selector, no_local=no_local, prefetch=prefetch
                )
            return await self.session.create_receiver(queue_of(found, no_local), selector=selector, prefetch=prefetch)

        return self._started(Opening(make))

    def create_shared_consumer(
        self, topic: Topic | str, name: str, *, selector: str | None = None, prefetch: int | None = None
    ) -> Opening[Consumer]:
        """A consumer that shares the non-durable subscription `name` with others (§8.3.2)."""
        return self._subscribed(topic, None, name, selector, False, prefetch)

    def create_durable_consumer(
        self,
        topic: Topic | str,
        name: str,
        *,
        selector: str | None = None,
        no_local: bool = False,
        prefetch: int | None = None,
    ) -> Opening[Consumer]:
        """The consumer of the durable subscription `name` (§8.3.3)."""
        return self._subscribed(topic, name, False, selector, no_local, prefetch)

    def create_shared_durable_consumer(
        self, topic: Topic | str, name: str, *, selector: str | None = None, prefetch: int | None = None
    ) -> Opening[Consumer]:
        """A consumer that shares the durable subscription `name` with others (§8.3.4)."""
        return self._subscribed(topic, name, True, selector, False, prefetch)

    def _subscribed(
        self,
        topic: Topic | str,
        durable: str | None,
        shared: bool | str,
        selector: str | None,
        no_local: bool,
        prefetch: int | None,
    ) -> Opening[Consumer]:
        async def make() -> Consumer:
            return await self.session.create_subscriber(
                topic_of(topic), durable=durable, shared=shared, selector=selector, no_local=no_local, prefetch=prefetch
            )

        return self._started(Opening(make))

    def _started(self, opening: Opening[Consumer]) -> Opening[Consumer]:
        async def make() -> Consumer:
            consumer = await opening
            await self._start()
            return consumer

        return Opening(make)

    async def _start(self) -> None:
        if self.autostart:
            await self.connection.start()

    async def consume(
        self,
        source: Destination | str,
        *,
        timeout: float | None = None,
        selector: str | None = None,
        prefetch: int | None = None,
    ) -> AsyncIterator[Message]:
        """Messages as they come, until the context is closed or none came for `timeout` seconds.

        The consumer is made at the first message asked for and closed with the iteration.  A loop that is left early
        closes it soon after; `contextlib.aclosing` does it at once.
        """
        async with self.create_consumer(source, selector=selector, prefetch=prefetch) as consumer:
            while not consumer._consumer._closed and (message := await consumer.receive(timeout)) is not None:
                yield message

    def create_browser(self, queue: Queue | str, selector: str | None = None) -> Opening[QueueBrowser]:
        """A browser of what waits in a queue; see `Session.create_browser`."""

        async def make() -> QueueBrowser:
            return await self.session.create_browser(queue_of(destination_of(queue)), selector)

        return Opening(make)

    async def unsubscribe(self, name: str) -> None:
        """Delete a durable subscription; see `Session.unsubscribe`."""
        await self.session.unsubscribe(name)

    # Acknowledging and transactions.

    @property
    def mode(self) -> AcknowledgeMode:
        """How the session acknowledges."""
        return self.session.mode

    @property
    def transacted(self) -> bool:
        """Whether the session has transactions."""
        return self.session.transacted

    async def acknowledge(self) -> None:
        """Acknowledge all that was delivered so far; see `rmimom.Context.acknowledge`."""
        await self.session._session.acknowledge_all()

    async def commit(self) -> None:
        """Commit the transaction; see `Session.commit`."""
        await self.session.commit()

    async def rollback(self) -> None:
        """Roll the transaction back; see `Session.rollback`."""
        await self.session.rollback()

    async def recover(self) -> None:
        """Have everything that is not acknowledged delivered once more; see `Session.recover`."""
        await self.session.recover()
