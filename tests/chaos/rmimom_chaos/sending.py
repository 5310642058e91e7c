"""Those who send: at a rate, with the options of their destination."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rmimom_chaos.actor import Actor
from rmimom_chaos.client import Options, RefusedError, UnknownError, Wait
from rmimom_chaos.history import FAIL, INFO, INVOKE
from rmimom_chaos.layout import BRIEF, GROUP_NAMES, GROUPS, LATER, NEWS, ORDERS, POISON, WORK
from rmimom_chaos.recorder import now
from rmimom_chaos.scene import MOMENT, Scene


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
        due = time.monotonic()
        while not self.scene.sending_is_over.wait(max(0.0, due - time.monotonic())):
            bunch = self.chance.choice((1, 1, self.chance.randint(2, self.largest_bunch)))
            # What was missed while there was no server is not made up for.
            due = max(due, time.monotonic() - 1.0) + bunch / (self.scene.rate * self.share)
            self._send([self.options() for _ in range(bunch)])

    def options(self) -> Options:
        """How the next message is sent."""
        return {}

    def facts(self, options: Options) -> dict[str, Any]:
        """What the history is told of that."""
        return {name: value for name, value in options.items() if name == "priority"}

    def _send(self, bunch: list[Options]) -> None:
        self.client.ready()
        producer = self.client.producer
        values = [f"{producer}-{self._number + step}" for step in range(1, len(bunch) + 1)]
        self._number += len(bunch)
        for value, options in zip(values, bunch, strict=True):
            self.note(INVOKE, "send", value=value, destination=self.destination, **self.facts(options))
        waits = self.client.send(self.destination, list(zip(values, bunch, strict=True)))
        for value, wait in zip(values, waits, strict=True):
            self._settle(value, wait)

    def _settle(self, value: str, wait: Wait) -> None:
        try:
            wait()
        except UnknownError:
            self.note(INFO, "send", value=value)
        except RefusedError:
            self.note(FAIL, "send", value=value)
            self.scene.sending_is_over.wait(MOMENT)
        else:
            self.confirmed("send", value=value)


class Reporter(Sending):
    """News of all priorities."""

    def options(self) -> Options:
        """Any priority."""
        return {"priority": self.chance.randint(1, 9)}


class Grouper(Sending):
    """Messages in groups."""

    share = 0.5

    def options(self) -> Options:
        """Any group."""
        return {"properties": {"JMSXGroupID": self.chance.choice(GROUP_NAMES)}}

    def facts(self, options: Options) -> dict[str, Any]:
        """The group."""
        return {"group": options["properties"]["JMSXGroupID"]}


class Procrastinator(Sending):
    """Messages for later."""

    share = 0.3

    def options(self) -> Options:
        """Up to three seconds."""
        return {"delivery_delay": self.chance.uniform(0.2, 3.0)}

    def facts(self, options: Options) -> dict[str, Any]:
        """Not before: the client adds the delay to its own clock when it sends, which is after this."""
        return {"delivery_time": now() + int(options["delivery_delay"] * 1000)}


class Ephemeral(Sending):
    """Messages that are worth nothing soon."""

    share = 0.3

    def options(self) -> Options:
        """Some that nobody can take in time, some that last."""
        return {"time_to_live": self.chance.choice((0.05, 0.5, 2.0, 60.0))}

    def facts(self, options: Options) -> dict[str, Any]:
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
