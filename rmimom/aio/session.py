"""A session on an event loop (Jakarta Messaging 3.1 §6.2)."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar, Unpack, cast

from rmimom.aio.browser import QueueBrowser
from rmimom.aio.consumer import Consumer, Receiver, Subscriber
from rmimom.aio.loop_session import LoopSession
from rmimom.aio.opening import Opening
from rmimom.aio.producer import Producer, Publisher, Sender
from rmimom.aio.requestor import Requestor
from rmimom.aio.temporary import TemporaryQueue, TemporaryTopic
from rmimom.client import consumer as client_consumer
from rmimom.client import producer as client_producer
from rmimom.client.messages import MessageMaker
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.options import RequestOptions
from rmimom.destination import Destination, Queue, Temporary, Topic, belonging
from rmimom.message import Message

_C = TypeVar("_C", bound=Consumer)
_P = TypeVar("_P", bound=Producer)
_T = TypeVar("_T", bound=Temporary)


class Session(MessageMaker):
    """Makes producers and consumers and acknowledges what the consumers deliver; see `rmimom.Session`.

    It belongs to the loop of its connection.  Tasks may share it: sends, receives and what is made of it may happen at
    once.  But a transaction, and what CLIENT_ACKNOWLEDGE acknowledges, are the session's: tasks that are not to commit
    or acknowledge for one another have a session each.
    """

    def __init__(self, session: LoopSession) -> None:
        self._session = session
        self._bridge = session.bridge

    def _check_open(self) -> None:
        self._session._check_open()

    @property
    def mode(self) -> AcknowledgeMode:
        """How it acknowledges."""
        return self._session.mode

    # Destinations.

    def queue(self, name: str) -> Queue:
        """The queue of this name; see `rmimom.Session.queue`."""
        return self._session.queue(name)

    def topic(self, name: str) -> Topic:
        """The topic of this name, or a pattern of topics; see `rmimom.Session.topic`."""
        return self._session.topic(name)

    async def create_temporary_queue(self) -> TemporaryQueue:
        """A new queue for as long as the connection lasts; see `rmimom.Session.create_temporary_queue`."""
        return cast("TemporaryQueue", await self._temporary(self._session.create_temporary_queue))

    async def create_temporary_topic(self) -> TemporaryTopic:
        """A new topic for as long as the connection lasts; see `rmimom.Session.create_temporary_topic`."""
        return cast("TemporaryTopic", await self._temporary(self._session.create_temporary_topic))

    async def _temporary(self, create: Callable[[], _T]) -> _T:
        delete = self._session._connection._temporaries.delete
        made = await self._session.in_thread(create, undo=delete)
        belonging(made, lambda destination: self._bridge.run(delete, destination))
        return made

    def composite(self, names: str) -> Destination:
        """Several destinations for one send; see `rmimom.Session.composite`."""
        return self._session.composite(names)

    # Questions and answers.

    def create_requestor(self, destination: Destination) -> Opening[Requestor]:
        """Who sends requests to `destination` and waits for their replies; see `rmimom.Session.create_requestor`."""

        async def make() -> Requestor:
            create = self._session.create_requestor
            requestor = await self._session.in_thread(create, destination, undo=lambda made: made.close())
            return Requestor(requestor, self._bridge)

        return Opening(make)

    async def reply(self, request: Message, body: object, **options: Unpack[RequestOptions]) -> None:
        """Send a reply to where the request wants it; see `rmimom.Session.reply`."""
        self._bridge.check_loop()
        async with Producer(self._session._create_replier(request), self._session) as producer:
            await producer.send(body, correlation_id=request.correlation_id or request.message_id, **options)

    # Producers.

    def create_publisher(self, topic: Topic | None = None) -> Opening[Publisher]:
        """A publisher to `topic`, or to a topic named at each publish (§7.1)."""
        return self._producer(lambda: self._session.create_publisher(topic), Publisher)

    def create_sender(self, queue: Queue | None = None) -> Opening[Sender]:
        """A sender to `queue`, or to a queue named at each send (§7.1)."""
        return self._producer(lambda: self._session.create_sender(queue), Sender)

    def create_producer(self, destination: Destination | None = None) -> Opening[Producer]:
        """A Publisher for a topic, a Sender for a queue, or a Producer to any destination."""
        kind = Publisher if isinstance(destination, Topic) else Sender if isinstance(destination, Queue) else Producer
        return self._producer(lambda: self._session.create_producer(destination), kind)

    def _producer(self, create: Callable[[], client_producer.Producer], kind: type[_P]) -> Opening[_P]:
        async def make() -> _P:
            self._bridge.check_loop()
            return kind(create(), self._session)

        return Opening(make)

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
    ) -> Opening[Subscriber]:
        """A subscriber to `topic`, or to all topics that match a pattern; see `rmimom.Session.create_subscriber`."""
        return self._consumer(
            lambda: self._session.create_subscriber(
                topic,
                durable=durable,
                shared=shared,
                selector=selector,
                no_local=no_local,
                prefetch=prefetch,
                retroactive=retroactive,
            ),
            Subscriber,
        )

    def create_receiver(
        self,
        queue: Queue,
        *,
        selector: str | None = None,
        prefetch: int | None = None,
        priority: int = 0,
        exclusive: bool = False,
    ) -> Opening[Receiver]:
        """A receiver from `queue`; see `rmimom.Session.create_receiver`."""
        return self._consumer(
            lambda: self._session.create_receiver(
                queue, selector=selector, prefetch=prefetch, priority=priority, exclusive=exclusive
            ),
            Receiver,
        )

    def _consumer(self, create: Callable[[], client_consumer.Consumer], kind: type[_C]) -> Opening[_C]:
        async def make() -> _C:
            return kind(await self._session.in_thread(create, undo=lambda made: made.close()), self._session)

        return Opening(make)

    def create_browser(self, queue: Queue, selector: str | None = None) -> Opening[QueueBrowser]:
        """A browser of what waits in `queue`; see `rmimom.Session.create_browser`."""

        async def make() -> QueueBrowser:
            browser = await self._session.in_thread(self._session.create_browser, queue, selector)
            return QueueBrowser(browser, self._bridge)

        return Opening(make)

    async def unsubscribe(self, name: str) -> None:
        """Delete a durable subscription and what waits in it; see `rmimom.Session.unsubscribe`."""
        await self._session.in_thread(self._session.unsubscribe, name)

    # Transactions.

    @property
    def transacted(self) -> bool:
        """Whether the session has transactions (§6.2.7)."""
        return self._session.transacted

    async def commit(self) -> None:
        """Commit the transaction; see `rmimom.Session.commit`.

        If cancelled, it goes on, and what is sent or received meanwhile waits for its end: `commit` again tells the
        outcome only if it is unknown, else it commits the next transaction.
        """
        await self._session.in_thread(self._session.commit)

    async def rollback(self) -> None:
        """Roll the transaction back; see `rmimom.Session.rollback`.  If cancelled, it is rolled back all the same."""
        await self._session.in_thread(self._session.rollback)

    async def recover(self) -> None:
        """Have everything that is not acknowledged delivered once more; see `rmimom.Session.recover`."""
        await self._session.in_thread(self._session.recover)

    async def close(self) -> None:
        """Close the session with its producers and consumers; see `rmimom.Session.close`.

        Waits for a running observer, and raises IllegalStateError if one calls it.  If cancelled, it is closed all the
        same.
        """
        self._session._refuse_in_callbacks("close its own session")
        await self._bridge.run_apart(self._session.close)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._session)
