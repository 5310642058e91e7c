"""Those who send: at a rate, with the options of their destination."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rmimom.client.producer import Producer
from rmimom.errors import ConnectionFailedError, JMSError
from rmimom_chaos.actor import MOMENT, Actor, Scene
from rmimom_chaos.history import FAIL, INFO, INVOKE
from rmimom_chaos.layout import BRIEF, GROUP_NAMES, GROUPS, LATER, NEWS, ORDERS, POISON, WORK
from rmimom_chaos.recorder import now


class Sending(Actor):
    """Sends numbered messages at a rate, one by one and in bunches."""

    share = 1.0
    """Of the rate of all."""
    largest_bunch = 6

    def __init__(self, scene: Scene, name: str, destination: str) -> None:
        super().__init__(scene, name)
        self.destination = destination
        self._number = 0

    def act(self) -> None:
        """Send until sending is over."""
        session = self.connection.create_session()
        kind, _, short = self.destination.partition("://")
        producer = session.create_producer(session.queue(short) if kind == "queue" else session.topic(short))
        due = time.monotonic()
        while not self.scene.sending_is_over.wait(max(0.0, due - time.monotonic())):
            bunch = self.chance.choice((1, 1, self.chance.randint(2, self.largest_bunch)))
            # What was missed while there was no server is not made up for.
            due = max(due, time.monotonic() - 1.0) + bunch / (self.scene.rate * self.share)
            self._send(producer, [self.options() for _ in range(bunch)])

    def options(self) -> dict[str, Any]:
        """How the next message is sent."""
        return {}

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the history is told of that."""
        return {name: value for name, value in options.items() if name == "priority"}

    def _send(self, producer: Producer, bunch: list[dict[str, Any]]) -> None:
        values = [f"{self.name}-{self._number + step}" for step in range(1, len(bunch) + 1)]
        self._number += len(bunch)
        for value, options in zip(values, bunch, strict=True):
            self.note(INVOKE, "send", value=value, destination=self.destination, **self.facts(options))
        if len(bunch) == 1:
            self._settle(values[0], lambda: producer.send(values[0], **bunch[0]))
            return
        receipts = [producer.send_async(value, **options) for value, options in zip(values, bunch, strict=True)]
        for value, receipt in zip(values, receipts, strict=True):
            self._settle(value, receipt.result)

    def _settle(self, value: str, wait: Callable[[], object]) -> None:
        try:
            wait()
        except ConnectionFailedError:
            self.note(INFO, "send", value=value)
        except JMSError:
            self.note(FAIL, "send", value=value)
            self.scene.sending_is_over.wait(MOMENT)
        else:
            self.confirmed("send", value=value)


class Reporter(Sending):
    """News of all priorities."""

    def options(self) -> dict[str, Any]:
        """Any priority."""
        return {"priority": self.chance.randint(1, 9)}


class Grouper(Sending):
    """Messages in groups."""

    share = 0.5

    def options(self) -> dict[str, Any]:
        """Any group."""
        return {"properties": {"JMSXGroupID": self.chance.choice(GROUP_NAMES)}}

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        """The group."""
        return {"group": options["properties"]["JMSXGroupID"]}


class Procrastinator(Sending):
    """Messages for later."""

    share = 0.3

    def options(self) -> dict[str, Any]:
        """Up to three seconds."""
        return {"delivery_delay": self.chance.uniform(0.2, 3.0)}

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        """Not before: the client adds the delay to its own clock when it sends, which is after this."""
        return {"delivery_time": now() + int(options["delivery_delay"] * 1000)}


class Ephemeral(Sending):
    """Messages that are worth nothing soon."""

    share = 0.3

    def options(self) -> dict[str, Any]:
        """Some that nobody can take in time, some that last."""
        return {"time_to_live": self.chance.choice((0.05, 0.5, 2.0, 60.0))}

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        """The time after which it is worth nothing, as far as we know: it is sent after this."""
        return {"expiration": now() + int(options["time_to_live"] * 1000)}


def senders() -> dict[str, tuple[Callable[[Scene], Actor], ...]]:
    """Who sends, in two processes."""
    return {
        "senders-1": (
            lambda scene: Sending(scene, "ann", WORK),
            lambda scene: Sending(scene, "ora", ORDERS),
            lambda scene: Grouper(scene, "gus", GROUPS),
            lambda scene: Ephemeral(scene, "eve", BRIEF),
        ),
        "senders-2": (
            lambda scene: Sending(scene, "ben", WORK),
            lambda scene: Reporter(scene, "ned", NEWS),
            lambda scene: Procrastinator(scene, "liz", LATER),
            lambda scene: Sending(scene, "pam", POISON),
        ),
    }
