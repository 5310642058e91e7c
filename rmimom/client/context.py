"""A context: a connection and one of its sessions in one object (Jakarta Messaging 3.1 §2.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

from rmimom.client.context_producer import ContextProducer, destination_of
from rmimom.client.messages import MessageMaker
from rmimom.client.mode import AUTO_ACKNOWLEDGE, AcknowledgeMode
from rmimom.client.options import RequestOptions, SendOptions
from rmimom.destination import Destination, Queue, TemporaryQueue, TemporaryTopic, Topic, parse_source
from rmimom.errors import InvalidDestinationError
from rmimom.message import Message

if TYPE_CHECKING:
    from rmimom.client.browser import QueueBrowser
    from rmimom.client.connection import Connection
    from rmimom.client.consumer import Consumer
    from rmimom.client.event import ConnectionEvent
    from rmimom.client.producer import Producer
    from rmimom.client.requestor import Requestor
    from rmimom.client.session import Session


class Context(MessageMaker):
    """A connection and one of its sessions; made by `rmimom.connect`, a factory, a Connection or another context.

    Wherever a destination is asked for, text like "queue://orders" will do.  With `autostart`, which is on unless set
    otherwise, the connection begins to deliver when a consumer is made (§6.1.4).  A context is for one thread at a
    time, as its session is.  Closing it closes its session; a connection that was made for contexts is closed with the
    last of them.
    """

    def __init__(
        self,
        connection: Connection,
        mode: AcknowledgeMode = AUTO_ACKNOWLEDGE,
        *,
        transacted: bool = False,
        family: list[Context] | None = None,
    ) -> None:
        self.connection: Connection = connection
        self.session: Session = connection.create_session(mode, transacted=transacted)
        self.autostart = True
        self._family = family
        """All contexts for which the connection was made; None if its maker closes it."""
        if family is not None:
            family.append(self)
        self._sender: Producer | None = None

    # The connection.

    @property
    def client_id(self) -> str:
        """Whose durable subscriptions are used: the connection's client id, or its user (§6.1.2)."""
        return self.connection.client_id

    def create_context(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Context:
        """Another context, with a session of its own, on the same connection: for another thread, or another mode."""
        return Context(self.connection, mode, transacted=transacted, family=self._family)

    def start(self) -> None:
        """Begin, or go on, to deliver messages; see `Connection.start`."""
        self.connection.start()

    def stop(self) -> None:
        """Deliver nothing more until `start`; see `Connection.stop`."""
        self.connection.stop()

    def on_event(self, listener: Callable[[ConnectionEvent], object]) -> None:
        """Call `listener` when the server is lost, back, or the connection closed; see `Connection.on_event`."""
        self.connection.on_event(listener)

    def close(self) -> None:
        """Close the session, with its producers and consumers, and the connection with its last context.

        What belongs to a transaction is rolled back.  Any thread may close a context; twice is harmless.
        Raises ConnectionFailedError as `Connection.close` does.
        """
        self.session.close()
        if self._family is not None and self in self._family:
            self._family.remove(self)
            if not self._family:
                self.connection.close()

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

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

    def create_temporary_queue(self) -> TemporaryQueue:
        """A new queue for as long as the connection lasts; see `Session.create_temporary_queue`."""
        return self.session.create_temporary_queue()

    def create_temporary_topic(self) -> TemporaryTopic:
        """A new topic for as long as the connection lasts; see `Session.create_temporary_topic`."""
        return self.session.create_temporary_topic()

    # Sending.

    def create_producer(self) -> ContextProducer:
        """A producer to any destination, whose `set` gives headers and properties to all that it sends."""
        return ContextProducer(self._own_producer())

    def send(
        self,
        destination: Destination | str,
        body: object,
        *,
        timeout: float | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Send a message and return when it is on the server's disk; see `Producer.send` for options and errors."""
        self._own_producer().send(body, destination=destination_of(destination), timeout=timeout, **options)

    def _own_producer(self) -> Producer:
        if self._sender is None:
            self._sender = self.session.create_producer()
        return self._sender

    # Questions and answers.

    def create_requestor(self, destination: Destination | str) -> Requestor:
        """Who sends requests to `destination` and waits for their replies; see `Session.create_requestor`."""
        requestor = self.session.create_requestor(destination_of(destination))
        self._start()
        return requestor

    def reply(self, request: Message, body: object, **options: Unpack[RequestOptions]) -> None:
        """Send a reply to where the request wants it; see `Session.reply`."""
        self.session.reply(request, body, **options)

    # Receiving.

    def create_consumer(
        self,
        source: Destination | str,
        *,
        selector: str | None = None,
        no_local: bool = False,
        prefetch: int | None = None,
    ) -> Consumer:
        """A consumer of a queue, a topic or a pattern of topics; see `Session.create_receiver`, `create_subscriber`.

        `no_local` is for topics.
        """
        found = source_of(source)
        consumer: Consumer
        if isinstance(found, Topic):
            consumer = self.session.create_subscriber(found, selector=selector, no_local=no_local, prefetch=prefetch)
        else:
            consumer = self.session.create_receiver(queue_of(found, no_local), selector=selector, prefetch=prefetch)
        return self._started(consumer)

    def create_shared_consumer(
        self, topic: Topic | str, name: str, *, selector: str | None = None, prefetch: int | None = None
    ) -> Consumer:
        """A consumer that shares the non-durable subscription `name` with others (§8.3.2)."""
        return self._started(
            self.session.create_subscriber(topic_of(topic), shared=name, selector=selector, prefetch=prefetch)
        )

    def create_durable_consumer(
        self,
        topic: Topic | str,
        name: str,
        *,
        selector: str | None = None,
        no_local: bool = False,
        prefetch: int | None = None,
    ) -> Consumer:
        """The consumer of the durable subscription `name` (§8.3.3)."""
        return self._started(
            self.session.create_subscriber(
                topic_of(topic), durable=name, selector=selector, no_local=no_local, prefetch=prefetch
            )
        )

    def create_shared_durable_consumer(
        self, topic: Topic | str, name: str, *, selector: str | None = None, prefetch: int | None = None
    ) -> Consumer:
        """A consumer that shares the durable subscription `name` with others (§8.3.4)."""
        return self._started(
            self.session.create_subscriber(
                topic_of(topic), durable=name, shared=True, selector=selector, prefetch=prefetch
            )
        )

    def consume(
        self,
        source: Destination | str,
        *,
        timeout: float | None = None,
        selector: str | None = None,
        prefetch: int | None = None,
    ) -> Iterator[Message]:
        """Messages as they come, until the context is closed or none came for `timeout` seconds.

        The consumer is made at the first message asked for and closed with the iteration.
        """
        with self.create_consumer(source, selector=selector, prefetch=prefetch) as consumer:
            while not consumer._closed and (message := consumer.receive(timeout)) is not None:
                yield message

    def create_browser(self, queue: Queue | str, selector: str | None = None) -> QueueBrowser:
        """A browser of what waits in a queue; see `Session.create_browser`."""
        return self.session.create_browser(queue_of(destination_of(queue)), selector)

    def unsubscribe(self, name: str) -> None:
        """Delete a durable subscription; see `Session.unsubscribe`."""
        self.session.unsubscribe(name)

    def _started(self, consumer: Consumer) -> Consumer:
        self._start()
        return consumer

    def _start(self) -> None:
        if self.autostart:
            self.connection.start()

    # Acknowledging and transactions.

    @property
    def mode(self) -> AcknowledgeMode:
        """How the session acknowledges."""
        return self.session.mode

    @property
    def transacted(self) -> bool:
        """Whether the session has transactions."""
        return self.session.transacted

    def acknowledge(self) -> None:
        """Acknowledge all that was delivered so far, in the modes CLIENT_ and INDIVIDUAL_ACKNOWLEDGE (§6.2.10).

        Returns when that is on the server's disk; in the other modes there is nothing to do.
        """
        self._check_open()
        self.session._acknowledging.acknowledge_all()

    def commit(self) -> None:
        """Commit the transaction; see `Session.commit`."""
        self.session.commit()

    def rollback(self) -> None:
        """Roll the transaction back; see `Session.rollback`."""
        self.session.rollback()

    def recover(self) -> None:
        """Have everything that is not acknowledged delivered once more; see `Session.recover`."""
        self.session.recover()


def source_of(source: Destination | str) -> Destination:
    """The destination itself, or that of text, which may be a pattern; raises InvalidDestinationError."""
    return parse_source(source) if isinstance(source, str) else destination_of(source)


def topic_of(topic: Topic | str) -> Topic:
    """The topic, or a pattern of topics; raises InvalidDestinationError for a queue."""
    found = source_of(topic)
    if not isinstance(found, Topic):
        raise InvalidDestinationError(f"{found} is no topic, and only topics have subscriptions")
    return found


def queue_of(queue: Destination, no_local: bool = False) -> Queue:
    """The queue; raises InvalidDestinationError for a topic, and for a queue that is to leave out own messages."""
    if not isinstance(queue, Queue):
        raise InvalidDestinationError(f"{queue} is no queue")
    if no_local:
        raise InvalidDestinationError(f"no_local is for topics, but {queue} is a queue")
    return queue
