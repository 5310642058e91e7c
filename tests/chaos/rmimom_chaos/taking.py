"""Those who take: they acknowledge, fail on some messages, or send on in transactions."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from rmimom import AcknowledgeMode, Message
from rmimom.client.consumer import Consumer
from rmimom.errors import IllegalStateError, JMSError, TransactionRolledBackError
from rmimom_chaos.actor import MOMENT, Actor, Scene
from rmimom_chaos.history import FAIL, INFO, INVOKE, OK
from rmimom_chaos.layout import (
    ARCHIVE,
    BRIEF,
    DEAD,
    EXPIRED,
    GROUPS,
    LATER,
    LEAST_PRIORITY,
    LEFT,
    MAXIMUM,
    NEWS,
    ORDERS,
    POISON,
    RIGHT,
    URGENT,
    WORK,
)


class Taking(Actor):
    """Receives from one place and acknowledges one by one."""

    prefetch = 20

    def __init__(self, scene: Scene, name: str, place: str) -> None:
        super().__init__(scene, name)
        self.place = place

    @property
    def consumer(self) -> str:
        """The name of this consumer; another one after each reconnection."""
        return f"{self.name}/{self.connection._delivery.life}"

    def open(self) -> Consumer:
        """The consumer."""
        session = self.connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
        return session.create_receiver(session.queue(self.place.partition("://")[2]), prefetch=self.prefetch)

    def act(self) -> None:
        """Take until all is over."""
        with self.open() as consumer:
            while not self.scene.all_is_over.is_set():
                message = consumer.receive(timeout=MOMENT)
                if message is not None:
                    self.handle(message)

    def handle(self, message: Message) -> None:
        """Work on a message: acknowledge it."""
        self.acknowledge(str(message.body), self.received(message), message)

    def received(self, message: Message) -> str:
        """Write down that it came; returns the name of the consumer."""
        consumer = self.consumer
        released, epoch = self.arrivals.take(message._tag)
        self.note(
            OK,
            "receive",
            value=str(message.body),
            place=self.place,
            consumer=consumer,
            count=message.delivery_count,
            tag=message._tag,
            released=released,
            epoch=epoch,
            **note_of(message),
        )
        return consumer

    def acknowledge(self, value: str, consumer: str, message: Message) -> None:
        """Acknowledge it, and write that down."""
        facts = {"value": value, "place": self.place, "consumer": consumer}
        self.note(INVOKE, "acknowledge", **facts)
        try:
            message.acknowledge()
        except JMSError:
            self.note(INFO, "acknowledge", **facts)
        else:
            self.confirmed("acknowledge", **facts)


class Puller(Taking):
    """Asks for messages instead of being called."""

    delivery = "pull"


class Follower(Taking):
    """Has a durable subscription of the news, with a selector if it takes only some."""

    def __init__(self, scene: Scene, name: str, place: str, least_priority: int) -> None:
        super().__init__(scene, name, place)
        self._least_priority = least_priority

    def open(self) -> Consumer:
        """The consumer; from then on the subscription exists."""
        session = self.connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
        least = self._least_priority
        facts = {"place": self.place, "destination": NEWS, "least_priority": least}
        self.note(INVOKE, "subscribe", **facts)
        consumer = session.create_subscriber(
            session.topic(NEWS.partition("://")[2]),
            durable=self.place,
            selector=f"JMSPriority >= {least}" if least else "",
            prefetch=self.prefetch,
        )
        self.note(OK, "subscribe", **facts)
        return consumer


class Failing(Taking):
    """Fails on some messages each time."""

    def handle(self, message: Message) -> None:
        """Acknowledge it, or say that the work on it failed."""
        value, consumer = str(message.body), self.received(message)
        if not fails(value):
            self.acknowledge(value, consumer, message)
            return
        facts = {"value": value, "place": self.place, "consumer": consumer}
        self.note(INVOKE, "release", maximum=MAXIMUM, **facts)
        try:
            message.nack("it fails every time")
        except IllegalStateError:
            self.note(FAIL, "release", **facts)  # others have it by now
        except JMSError:
            self.note(INFO, "release", **facts)
        else:
            self.note(OK, "release", **facts)


class Forwarding(Taking):
    """Takes from a queue and sends on to two others, all in one transaction."""

    prefetch = 10

    def __init__(self, scene: Scene, name: str, place: str, targets: tuple[str, str]) -> None:
        super().__init__(scene, name, place)
        self._targets = targets
        self._attempts = self._number = 0

    def act(self) -> None:
        """Forward until all is over; a transaction whose outcome is not known is asked for again."""
        session = self.connection.create_session(transacted=True)
        senders = [session.create_sender(session.queue(target.partition("://")[2])) for target in self._targets]
        source = session.queue(self.place.partition("://")[2])
        with session.create_receiver(source, prefetch=self.prefetch) as receiver:
            while not self.scene.all_is_over.is_set():
                message = receiver.receive(timeout=MOMENT)
                if message is None:
                    continue
                taken = [(str(message.body), self.received(message))]
                while len(taken) < self.chance.randint(1, 5) and (more := receiver.receive(timeout=0)) is not None:
                    taken.append((str(more.body), self.received(more)))
                self._forward(session, senders, taken)

    def _forward(self, session: Any, senders: list[Any], taken: list[tuple[str, str]]) -> None:
        self._attempts += 1
        transaction = f"{self.name}:{self._attempts}"
        self.note(INVOKE, "commit", transaction=transaction)
        told: list[dict[str, Any]] = []
        for value, consumer in taken:
            told.append({"op": "acknowledge", "value": value, "place": self.place, "consumer": consumer})
            self.note(INVOKE, transaction=transaction, **told[-1])
        for target, sender in zip(self._targets, senders, strict=True):
            for _ in taken:
                self._number += 1
                value = f"{self.name}-{self._number}"
                told.append({"op": "send", "value": value})
                self.note(INVOKE, transaction=transaction, destination=target, **told[-1])
                sender.send(value)
        if self.chance.random() < 0.05:
            session.rollback()
            outcome = FAIL
        else:
            outcome = self._commit(session)
        for facts in ({"op": "commit"}, *told):
            if outcome == OK:
                self.confirmed(transaction=transaction, **facts)
            else:
                self.note(outcome, transaction=transaction, **facts)

    def _commit(self, session: Any) -> str:
        try:
            session.commit()
        except TransactionRolledBackError:
            return FAIL
        except JMSError:
            session.rollback()
            return INFO
        return OK


def note_of(message: Message) -> dict[str, Any]:
    """What a message from a queue for the dead says of itself."""
    properties = message.properties
    found = {
        "origin": properties.get("JMS_rmimom_original_destination"),
        "reason": properties.get("JMS_rmimom_dead_reason"),
        "failures": properties.get("JMS_rmimom_failures"),
        "dead_at": properties.get("JMS_rmimom_dead_at"),
        "retried_at": properties.get("JMS_rmimom_retried_at"),
    }
    return {name: value for name, value in found.items() if value is not None}


def fails(value: str) -> bool:
    """Whether a message is one of those that fail every time."""
    return zlib.crc32(value.encode()) % 5 == 0


def takers() -> dict[str, tuple[Callable[[Scene], Actor], ...]]:
    """Who takes, in three processes."""
    return {
        "takers-1": (
            lambda scene: Taking(scene, "tom", WORK),
            lambda scene: Taking(scene, "gil", GROUPS),
            lambda scene: Taking(scene, "lea", LEFT),
            lambda scene: Follower(scene, ARCHIVE, ARCHIVE, 0),
            lambda scene: Failing(scene, "pit", POISON),
            lambda scene: Taking(scene, "xan", EXPIRED),
        ),
        "takers-2": (
            lambda scene: Puller(scene, "tim", WORK),
            lambda scene: Taking(scene, "gia", GROUPS),
            lambda scene: Taking(scene, "ria", RIGHT),
            lambda scene: Follower(scene, URGENT, URGENT, LEAST_PRIORITY),
            lambda scene: Failing(scene, "pia", POISON),
            lambda scene: Taking(scene, "dee", DEAD),
        ),
        "forwarders": (
            lambda scene: Forwarding(scene, "fay", ORDERS, (LEFT, RIGHT)),
            lambda scene: Forwarding(scene, "fox", ORDERS, (LEFT, RIGHT)),
            lambda scene: Taking(scene, "lou", LATER),
            lambda scene: Taking(scene, "bea", BRIEF),
        ),
    }
