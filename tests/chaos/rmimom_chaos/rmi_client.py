"""A client that speaks RMI: rmimom's own library, which finds servers by itself and repeats what was not confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rmimom import AcknowledgeMode, Connection, ConnectionEvent, ConnectionFactory, Message
from rmimom.client.consumer import Consumer
from rmimom.client.producer import Producer
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidClientIDError,
    JMSError,
    TransactionRolledBackError,
)
from rmimom_chaos.arrivals import Arrivals
from rmimom_chaos.client import Delivery, Options, RefusedError, Source, UnknownError, Wait
from rmimom_chaos.notes import note_of
from rmimom_chaos.scene import MOMENT, PATIENCE, Scene


class RmiDelivery:
    """See `rmimom_chaos.client.Delivery`."""

    def __init__(self, message: Message, consumer: str, facts: dict[str, Any]) -> None:
        self.value = str(message.body)
        self.consumer = consumer
        self.facts = facts
        self._message = message

    def acknowledge(self) -> None:
        """Acknowledge it alone."""
        try:
            self._message.acknowledge()
        except JMSError as error:
            raise UnknownError(str(error)) from error

    def fail(self, reason: str) -> None:
        """Give it back as a failure."""
        try:
            self._message.nack(reason)
        except IllegalStateError as error:
            raise RefusedError(str(error)) from error  # others have it by now
        except JMSError as error:
            raise UnknownError(str(error)) from error


class RmiClient:
    """See `rmimom_chaos.client.Client`.  `name` is that of the incarnation, `role` the client id.

    `tell` is told what happens to the connection.
    """

    def __init__(
        self, scene: Scene, name: str, role: str, tell: Callable[[str], None], *, delivery: str, transacted: bool
    ) -> None:
        self._scene = scene
        self._role = role
        self._tell = tell
        self._delivery = scene.door.delivery or delivery
        self._transacted = transacted
        self._producers: dict[str, Producer] = {}
        self._connection: Connection
        self._consumer: Consumer
        self.producer = name

    def open(self, source: Source | None) -> None:
        """Connect, and open the receiver or the subscriber; waits until the client id is free, too."""
        door = self._scene.door
        factory = ConnectionFactory(door.nameserver)
        while True:
            try:
                self._connection = factory.create_connection(
                    door.user,
                    door.password,
                    client_id=self._role,
                    delivery=self._delivery,
                    connect_timeout=PATIENCE,
                    reconnect_timeout=PATIENCE,
                )
                break
            except InvalidClientIDError:
                # The server has not noticed yet that the process before us is dead.
                if self._scene.all_is_over.wait(MOMENT):
                    raise
        self._arrivals = Arrivals(self._connection)
        self._connection.on_event(self._hear)
        self._session = self._connection.create_session(
            AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE, transacted=self._transacted
        )
        if source is not None:
            self._consumer = self._consume(source)

    def _consume(self, source: Source) -> Consumer:
        session = self._session
        kind, _, short = source.destination.partition("://")
        if kind == "queue":
            return session.create_receiver(session.queue(short), prefetch=source.prefetch)
        return session.create_subscriber(
            session.topic(short), durable=source.durable, selector=source.selector, prefetch=source.prefetch
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ready(self) -> None:
        """The library waits in every call."""

    @property
    def reign(self) -> tuple[str, int]:
        """Of the server that we are connected with now."""
        return self._connection._welcome.reign

    def receive(self, limit: float) -> Delivery | None:
        """The next message."""
        message = self._consumer.receive(timeout=limit)
        if message is None:
            return None
        released, epoch = self._arrivals.take(message._tag)
        facts = {
            "count": message.delivery_count,
            "tag": message._tag,
            "released": released,
            "epoch": epoch,
            **note_of(message.properties),
        }
        # Another consumer after each reconnection.
        return RmiDelivery(message, f"{self.producer}/{self._connection._delivery.life}", facts)

    def send(self, destination: str, messages: Sequence[tuple[str, Options]]) -> list[Wait]:
        """One message is waited for as it is sent, several go together."""
        producer = self._producer(destination)
        if self._transacted:
            for value, options in messages:
                producer.send(value, **options)
            return []
        if len(messages) == 1:
            [(value, options)] = messages
            return [_settled(lambda: producer.send(value, **options))]
        return [_settled(producer.send_async(value, **options).result) for value, options in messages]

    def _producer(self, destination: str) -> Producer:
        found = self._producers.get(destination)
        if found is None:
            kind, _, short = destination.partition("://")
            place = self._session.queue(short) if kind == "queue" else self._session.topic(short)
            found = self._producers[destination] = self._session.create_producer(place)
        return found

    def begin(self, taken: Sequence[Delivery]) -> None:
        """A transacted session is always in a transaction."""

    def commit(self) -> None:
        """Commit; the library asks for an outcome that got lost."""
        try:
            self._session.commit()
        except TransactionRolledBackError as error:
            raise RefusedError(str(error)) from error
        except JMSError as error:
            raise UnknownError(str(error)) from error

    def rollback(self) -> None:
        """Roll back."""
        self._session.rollback()

    def _hear(self, event: ConnectionEvent) -> None:
        if event.kind in {"lost", "restored"}:
            self._tell(event.kind)


def _settled(wait: Wait) -> Wait:
    def settled() -> None:
        try:
            wait()
        except ConnectionFailedError as error:
            raise UnknownError(str(error)) from error
        except JMSError as error:
            raise RefusedError(str(error)) from error

    return settled
