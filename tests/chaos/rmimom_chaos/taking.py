"""Those who take: they acknowledge, fail on some messages, or send on in transactions."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from rmimom_chaos.actor import Actor
from rmimom_chaos.client import Delivery, RefusedError, Source, UnknownError
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
from rmimom_chaos.scene import MOMENT, Scene


class Taking(Actor):
    """Receives from one place and acknowledges one by one."""

    prefetch = 20

    def __init__(self, scene: Scene, name: str, place: str) -> None:
        super().__init__(scene, name)
        self.place = place
        self.source = Source(place, self.prefetch)

    def act(self) -> None:
        """Take until all is over."""
        while not self.scene.all_is_over.is_set():
            delivery = self.client.receive(MOMENT)
            if delivery is not None:
                self.received(delivery)
                self.handle(delivery)

    def handle(self, delivery: Delivery) -> None:
        """Work on a message: acknowledge it."""
        self.acknowledge(delivery)

    def received(self, delivery: Delivery) -> None:
        """Write down that it came."""
        self.note(OK, "receive", **self.told(delivery), **delivery.facts)

    def told(self, delivery: Delivery) -> dict[str, Any]:
        """What the history is told of a message each time."""
        return {"value": delivery.value, "place": self.place, "consumer": delivery.consumer}

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge it, and write that down."""
        facts = self.told(delivery)
        self.note(INVOKE, "acknowledge", **facts)
        try:
            delivery.acknowledge()
        except (UnknownError, RefusedError):
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
        selector = f"JMSPriority >= {least_priority}" if least_priority else ""
        self.source = Source(NEWS, self.prefetch, durable=place, selector=selector)

    def open(self) -> None:
        """Connect; from then on the subscription exists."""
        facts = {"place": self.place, "destination": NEWS, "least_priority": self._least_priority}
        self.note(INVOKE, "subscribe", **facts)
        super().open()
        self.note(OK, "subscribe", **facts)


class Failing(Taking):
    """Fails on some messages each time."""

    def handle(self, delivery: Delivery) -> None:
        """Acknowledge it, or say that the work on it failed."""
        if not fails(delivery.value):
            self.acknowledge(delivery)
            return
        facts = self.told(delivery)
        self.note(INVOKE, "release", maximum=MAXIMUM, **facts)
        try:
            delivery.fail("it fails every time")
        except RefusedError:
            self.note(FAIL, "release", **facts)
        except UnknownError:
            self.note(INFO, "release", **facts)
        else:
            self.note(OK, "release", **facts)


class Forwarding(Taking):
    """Takes from a queue and sends on to two others, all in one transaction."""

    prefetch = 10
    transacted = True

    def __init__(self, scene: Scene, name: str, place: str, targets: tuple[str, str]) -> None:
        super().__init__(scene, name, place)
        self._targets = targets
        self._attempts = self._number = 0

    def act(self) -> None:
        """Forward until all is over."""
        while not self.scene.all_is_over.is_set():
            delivery = self.client.receive(MOMENT)
            if delivery is None:
                continue
            taken = [delivery]
            self.received(delivery)
            while len(taken) < self.chance.randint(1, 5) and (more := self.client.receive(0)) is not None:
                taken.append(more)
                self.received(more)
            self._forward(taken)

    def _forward(self, taken: list[Delivery]) -> None:
        self._attempts += 1
        transaction = f"{self.name}:{self._attempts}"
        self.note(INVOKE, "commit", transaction=transaction)
        told = [{"op": "acknowledge", **self.told(delivery)} for delivery in taken]
        for facts in told:
            self.note(INVOKE, transaction=transaction, **facts)
        outcome = self._do(transaction, taken, told)
        for facts in ({"op": "commit"}, *told):
            if outcome == OK:
                self.confirmed(transaction=transaction, **facts)
            else:
                self.note(outcome, transaction=transaction, **facts)

    def _do(self, transaction: str, taken: list[Delivery], told: list[dict[str, Any]]) -> str:
        """The transaction itself, and its outcome; its sends are added to what is told."""
        client, outcome = self.client, FAIL
        try:
            client.begin(taken)
            for target in self._targets:
                for _ in taken:
                    self._number += 1
                    value = f"{client.producer}-{self._number}"
                    told.append({"op": "send", "value": value})
                    self.note(INVOKE, transaction=transaction, destination=target, **told[-1])
                    client.send(target, [(value, {})])
            if self.chance.random() >= 0.05:
                client.commit()
                return OK
        except RefusedError:
            pass
        except UnknownError:
            outcome = INFO
        client.rollback()
        return outcome


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
