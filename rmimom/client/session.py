"""A session: one thread's work with messages (Jakarta Messaging 3.1 §6.2)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from rmimom.client.acknowledging import Acknowledging
from rmimom.client.browser import QueueBrowser
from rmimom.client.completion import Completions
from rmimom.client.consumer import Consumer, Receiver, Subscriber
from rmimom.client.lingering import Lingering
from rmimom.client.messages import MessageMaker
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.producer import Producer, Publisher, Sender
from rmimom.client.requestor import Requestor
from rmimom.client.session_thread import SessionThread
from rmimom.client.terms import checked_source, checked_target, receiver_options, subscriber_options
from rmimom.client.transaction import Transaction
from rmimom.client.unit_of_work import UnitOfWork
from rmimom.client.usage import Usage
from rmimom.composite import parse_target
from rmimom.destination import Destination, Queue, TemporaryQueue, TemporaryTopic, Topic, check_source
from rmimom.errors import IllegalStateError, InvalidDestinationError, JMSError
from rmimom.message import Message
from rmimom.values import PropertyValue

if TYPE_CHECKING:
    from rmimom.client.connection import Connection

log = logging.getLogger("rmimom.client")

_P = TypeVar("_P", bound=Producer)
_C = TypeVar("_C", bound=Consumer)


class Session(MessageMaker):
    """Makes producers and consumers and acknowledges what the consumers deliver, as `mode` says.

    In a transacted session what is sent and received belongs to a transaction, until `commit` or `rollback` ends it and
    begins the next (§6.2.7).

    A session, with its producers and consumers, is for one thread at a time (§6.2.5).  Once it has observers and the
    connection is started, that is its own thread, in which they are called one at a time: then other threads may make
    producers and consumers, attach and detach observers, and no more.  `close` is for any thread.  A call that meets
    another thread in the session raises IllegalStateError.
    """

    _message_type: type[Message] = Message

    def __init__(self, connection: Connection, mode: AcknowledgeMode) -> None:
        self._connection = connection
        self.mode = mode
        self._automatic = mode in {AcknowledgeMode.AUTO_ACKNOWLEDGE, AcknowledgeMode.DUPS_OK_ACKNOWLEDGE}
        self._lock: threading.Lock = connection._inbox_lock
        self._arrived: threading.Condition = threading.Condition(self._lock)
        self._work: UnitOfWork | None = UnitOfWork(self) if self.transacted else None
        self._transaction: Transaction | None = None if self._work is None else self._work.transaction
        self._consumers: list[Consumer] = []
        self._lingering: Lingering = Lingering(self)
        self._acknowledging: Acknowledging = Acknowledging(self, self._lingering, connection._exchange, self._lock)
        self._producers: list[Producer] = []
        self._usage: Usage = Usage()
        self._thread: SessionThread = SessionThread(self)
        self._completions: Completions = Completions(self)
        self._has_listeners = False
        self._closing = False
        self._closed = False
        self._ended = threading.Event()

    # Destinations.

    def queue(self, name: str) -> Queue:
        """The queue of this name; it is made on the server when first used, where the server allows that.

        A name with wildcards is a pattern for `create_receiver` and `create_browser`; see `topic`.
        """
        queue = Queue(name)
        check_source(queue)
        return queue

    def topic(self, name: str) -> Topic:
        """The topic of this name; it is made on the server when first used, where the server allows that.

        A name with wildcards is a pattern for `create_subscriber`: elements are separated by dots, `*` stands for one
        of them, `>` at the end for all that follow.
        """
        topic = Topic(name)
        check_source(topic)
        return topic

    def create_temporary_queue(self) -> TemporaryQueue:
        """A new queue for as long as the connection lasts: all may send to it, only this connection consumes (§6.2.2).

        What waits there is gone when the connection to the server is lost; the queue itself is made again.
        """
        self._check_open()
        return self._connection._temporaries.create(TemporaryQueue)

    def create_temporary_topic(self) -> TemporaryTopic:
        """A new topic for as long as the connection lasts: all may send to it, only this connection subscribes.

        See §6.2.2.  It is made again when the connection to the server is lost and found.
        """
        self._check_open()
        return self._connection._temporaries.create(TemporaryTopic)

    def composite(self, names: str) -> Destination:
        """Several destinations for one send, as `queue://A,B,topic://C`: each gets a copy, all or none.

        A part without a prefix is of the kind of the part before it; at most 100 parts.  For producers only.
        """
        return parse_target(names)

    def _create_sibling(self) -> Session:
        """Another session on the same connection, used in the same way."""
        return self._connection.create_session()

    def _create_replier(self, request: Message) -> Producer:
        if request.reply_to is None:
            raise InvalidDestinationError(f"{request!r} has no reply_to, so it wants no reply")
        return self.create_producer(request.reply_to)

    # Producers.

    def create_publisher(self, topic: Topic | None = None) -> Publisher:
        """A publisher to `topic`, or to a topic named at each publish (§7.1)."""
        return self._add_producer(Publisher(self, None if topic is None else checked_target(topic, Topic)))

    def create_sender(self, queue: Queue | None = None) -> Sender:
        """A sender to `queue`, or to a queue named at each send (§7.1)."""
        return self._add_producer(Sender(self, None if queue is None else checked_target(queue, Queue)))

    def create_producer(self, destination: Destination | None = None) -> Producer:
        """A Publisher for a topic, a Sender for a queue, or a Producer to any destination."""
        if isinstance(destination, Topic):
            return self.create_publisher(destination)
        if isinstance(destination, Queue):
            return self.create_sender(destination)
        target = None if destination is None else checked_target(destination, Destination)
        return self._add_producer(Producer(self, target))

    # Questions and answers.

    def create_requestor(self, destination: Destination) -> Requestor:
        """Who sends requests to `destination` and waits for their replies (§4.1.7); it is closed with the connection.

        It works beside the session, for any thread: a request is sent at once, also where the session is transacted.
        """
        self._check_open()
        return Requestor(self, checked_target(destination, Destination))

    def reply(
        self,
        request: Message,
        body: object,
        *,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        type: str | None = None,
    ) -> None:
        """Send a reply to where the request wants it, with the correlation id that tells which request it answers.

        That is the correlation id of the request, or its message id if it has none (§3.4.5).  Otherwise it is as
        `Producer.send`.  Raises InvalidDestinationError if the request wants no reply, or who asked is gone.
        """
        with self._create_replier(request) as producer:
            producer.send(
                body,
                properties=properties,
                priority=priority,
                persistent=persistent,
                time_to_live=time_to_live,
                correlation_id=request.correlation_id or request.message_id,
                type=type,
            )

    # Consumers.

    def create_subscriber(
        self,
        topic: Topic,
        *,
        durable: str | None = None,
        shared: bool | str = False,
        selector: str | None = None,
        no_local: bool = False,
        prefetch: int | None = None,
        retroactive: bool = False,
    ) -> Subscriber:
        """A subscriber to `topic`, or to all topics that match a pattern, those made later included.

        Without `durable` it gets what is sent while it is open (§8.3.1).  With the name of a durable subscription it
        gets all that was sent since the subscription was first made, whoever was away when (§8.3.3); the subscription
        belongs to the connection's client id, or to its user.
        Several subscribers compete for the messages of a shared subscription: `shared="name"` is one that lasts as long
        as it has subscribers (§8.3.2), `durable="name", shared=True` one that stays (§8.3.4).  Either belongs to the
        connection's client id, or else to all connections without one.
        `no_local` leaves out what this connection sends; `prefetch` is how many messages may be with the subscriber
        unacknowledged.  With `retroactive` a subscriber that is not durable first gets what the server keeps of the
        topic.  Raises the server's refusal.
        """
        options = subscriber_options(
            durable=durable,
            shared=shared,
            selector=selector,
            no_local=no_local,
            prefetch=prefetch,
            retroactive=retroactive,
        )
        return self._add_consumer(Subscriber(self, checked_source(topic, Topic), options))

    def create_receiver(
        self,
        queue: Queue,
        *,
        selector: str | None = None,
        prefetch: int | None = None,
        priority: int = 0,
        exclusive: bool = False,
    ) -> Receiver:
        """A receiver from `queue`; each message goes to one of the queue's receivers (§4.1).

        With a pattern it receives from all queues that match, those there are and those that come to be, and competes
        in each with its other receivers; `message.get_property("JMS_rmimom_taken_from")` says which queue it was.

        `prefetch` is how many messages may be with the receiver unacknowledged: few share the work evenly, many
        make it fast.  Receivers of a higher `priority` are served first while they have room.  While a queue has
        `exclusive` receivers one of them alone is served; the others stand by.  Raises the server's refusal.
        """
        options = receiver_options(selector=selector, prefetch=prefetch, priority=priority, exclusive=exclusive)
        return self._add_consumer(Receiver(self, checked_source(queue, Queue), options))

    def create_browser(self, queue: Queue, selector: str | None = None) -> QueueBrowser:
        """A browser of what waits in `queue`, or of what `selector` takes of it (§4.1.6).

        A pattern means all queues that match.

        Raises InvalidSelectorError, and InvalidDestinationError if there is no such queue.
        """
        self._check_open()
        return QueueBrowser(self, checked_source(queue, Queue), selector or "")

    def unsubscribe(self, name: str) -> None:
        """Delete a durable subscription and what waits in it (§8.3.3).

        Raises InvalidDestinationError if there is none of this name, IllegalStateError while it has a subscriber.
        """
        self._check_open()
        exchange = self._connection._exchange
        asked = 0

        def ask() -> None:
            nonlocal asked
            asked += 1
            try:
                exchange.call("unsubscribe", name)
            except InvalidDestinationError:
                if asked == 1:
                    raise
                # The answer to the first call was lost, and it had been done.

        with self._usage:
            exchange.until_answered(ask)

    # Transactions.

    @property
    def transacted(self) -> bool:
        """Whether the session has transactions (§6.2.7)."""
        return self.mode is AcknowledgeMode.SESSION_TRANSACTED

    def commit(self) -> None:
        """Send and acknowledge all that was sent and received since the last commit or rollback, or nothing (§6.2.7).

        Returns when all of it is on the server's disk, and on every in-sync standby.  When the server is lost
        meanwhile, the commit goes on after it or another one is found.

        Raises TransactionRolledBackError if the server was lost before, and another one took over or it was started
        again, or if messages received went to others: then all was rolled back as by `rollback`.  Another refusal of
        the server changes nothing: commit again, or roll back.  After ConnectionFailedError the outcome is unknown; a
        further `commit` finds it out, and does not commit twice.
        Raises IllegalStateError in a session that is not transacted.
        """
        work = self._check_transacted("commit")
        with self._usage:
            self._completions.finish()
            work.commit()

    def rollback(self) -> None:
        """Destroy what was sent and deliver again what was received since the last commit or rollback (§6.2.7).

        What was received comes in the old order, flagged as redelivered.  As for `recover`, the redelivery policy of
        the destination counts it as a failure.  Raises IllegalStateError in a session that is not transacted.
        """
        work = self._check_transacted("rollback")
        with self._usage:
            self._completions.finish()
            work.rollback()

    def _check_transacted(self, what: str) -> UnitOfWork:
        self._check_open()
        if self._work is None:
            raise IllegalStateError(
                f"{what} needs a transacted session, but this one is {self.mode.name}; "
                "create one with connection.create_session(transacted=True) (§10.3)"
            )
        self._completions.refuse_here(f"{what} its own session")
        return self._work

    def recover(self) -> None:
        """Deliver everything that is not acknowledged once more, in order, flagged as redelivered (§6.2.10).

        The server hears of it as a failure, so its redelivery policy counts: what failed too often becomes a dead
        letter, and with a delay others come first.  If the server cannot be reached they are delivered again at once.
        Messages of a consumer that was closed go to others.
        Raises IllegalStateError in a transacted session, which has `rollback` for that.
        """
        self._check_open()
        if self._transaction is not None:
            raise IllegalStateError("a transacted session cannot recover; use rollback (§6.2.7)")
        with self._usage:
            with self._lock:
                failed = [(consumer, list(consumer._intake.working)) for consumer in self._lingering.givers()]
            for consumer, tags in failed:
                if tags:
                    self._fail(consumer, tags, "recovered by the session")
            self._lingering.end_done()

    def _fail(self, consumer: Consumer, tags: list[int], reason: str) -> None:
        try:
            consumer._failed(tags, reason)
        except JMSError as error:
            # Nothing is lost by it: what is not ours any more the server says when we come back.
            log.info("failures on %s are not counted: %s", consumer.destination, error)
            with self._lock:
                consumer._intake.recover(tags)
                self._arrived.notify_all()

    def close(self) -> None:
        """Close the session with its producers and consumers; messages not acknowledged go back (§6.2.15).

        A transaction that was not committed is rolled back (§6.2.15).  A `receive` under way in another thread returns
        None.  Any thread may close a session; twice is harmless.

        Waits for a running observer, which may go on using the session until it returns, and until completion listeners
        have been told of every send (§7.3.4).  Raises IllegalStateError when one of these calls it.
        """
        self._refuse_in_callbacks("close its own session")
        with self._lock:
            first, self._closing = not self._closing, True
            self._arrived.notify_all()
        if not first:
            self._ended.wait()
            return
        try:
            self._thread.join()
            self._completions.finish()
            with self._lock:
                self._closed = True
                self._arrived.notify_all()
            self._completions.end()
            for producer in list(self._producers):
                producer.close()
            for consumer in list(self._consumers):
                consumer.close()
            self._lingering.end()
            if self._work is not None:
                self._work.close()
        finally:
            self._closed = True
            self._connection._forget_session(self)
            self._ended.set()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session {self.mode.name} {'closed' if self._closed else f'{len(self._consumers)} consumers'}>"

    def _refuse_in_callbacks(self, what: str) -> None:
        """Raise IllegalStateError in an observer's or a completion listener's call."""
        self._thread.refuse_here(what)
        self._completions.refuse_here(what)

    def _regard(self) -> None:
        """Observers came or went, or the connection was started or stopped; the lock is held."""
        self._has_listeners = any(consumer._listeners and not consumer._closed for consumer in self._consumers)
        for consumer in self._consumers:
            consumer._update()
        self._usage.dedicate(self._thread.ident if self._has_listeners and self._connection._running else 0)

    def _check_open(self) -> None:
        self._connection._check_open()
        if self._closed:
            raise IllegalStateError("the session is closed; create another one from the connection")

    def _add_producer(self, producer: _P) -> _P:
        self._producers.append(producer)
        return producer

    def _add_consumer(self, consumer: _C) -> _C:
        with self._lock:
            self._consumers.append(consumer)
        try:
            self._connection._open_consumer(consumer)
        except BaseException:
            self._forget_consumer(consumer)
            raise
        return consumer

    def _forget_consumer(self, consumer: Consumer) -> None:
        with self._lock:
            if consumer in self._consumers:
                self._consumers.remove(consumer)

    def _forget_producer(self, producer: Producer) -> None:
        if producer in self._producers:
            self._producers.remove(producer)
