"""What checkers have in common: verdicts, and what a history says of sends, places and queues for the dead."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec

from rmimom_chaos.history import FAIL, INVOKE, OK, Event, History

EXPIRED = "expired"
"""The reason of a dead letter that nobody failed on."""


class Verdict(msgspec.Struct, frozen=True):
    """What a checker says: valid, not valid, or None if the history cannot tell.

    `findings` name every violation, `values` the messages that they speak of, `facts` are numbers for reports.
    """

    checker: str
    valid: bool | None
    findings: list[str]
    values: set[str]
    facts: Mapping[str, int] = {}


class Findings:
    """Violations, as they are found."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: set[str] = set()

    def add(self, value: str, text: str) -> None:
        """One more, about this message."""
        self.lines.append(f"{value}: {text}")
        self.values.add(value)

    def verdict(self, checker: str, facts: Mapping[str, int] | None = None, *, known: bool = True) -> Verdict:
        """What it comes to; `known` says whether the history could show everything."""
        valid = False if self.lines else (True if known else None)
        return Verdict(checker, valid, self.lines, self.values, facts or {})


class Burials:
    """The queues for dead letters and expired messages, by where the messages came from."""

    def __init__(self, history: History) -> None:
        self._queues: dict[str, set[str]] = defaultdict(set)
        self._origins: dict[str, set[str]] = defaultdict(set)
        self._keeps_expired: set[str] = set()
        for event in history:
            if event.op == "policy":
                self._queues[event.place].add(event.destination)
                self._origins[event.destination].add(event.place)
                if event.value == "expired":
                    self._keeps_expired.add(event.place)

    def of(self, origin: str) -> set[str]:
        """The queues for what was sent, or subscribed to, there."""
        return self._queues.get(origin, set())

    def origins(self, place: str) -> set[str]:
        """Where messages in such a queue come from; nowhere if it is no such queue."""
        return self._origins.get(place, set())

    def keeps_expired(self, origin: str) -> bool:
        """Whether what expires there is kept somewhere."""
        return origin in self._keeps_expired

    def family(self, place: str) -> str:
        """A queue and the queues for its dead have one name, for a message is in one of them only.

        Queues for the dead of topics have none: several subscriptions may send one message there, one after the other.
        """
        origins = self._origins.get(place)
        if not origins:
            return place
        first = min(origins)
        return first if len(origins) == 1 and first.startswith("queue://") else ""


class Sends:
    """What was sent and what became of it."""

    def __init__(self, history: History) -> None:
        self.burials = Burials(history)
        self.begun: dict[str, int] = {}  # value: position of its first invoke
        self.asked: dict[str, Event] = {}
        self.done: dict[str, int] = {}
        self.failed: set[str] = set()
        self.last_crash = -1
        for position, event in enumerate(history):
            if event.op == "send":
                if event.type == INVOKE:
                    self.begun.setdefault(event.value, position)
                    self.asked.setdefault(event.value, event)
                elif event.type == OK:
                    self.done[event.value] = position
                elif event.type == FAIL:
                    self.failed.add(event.value)
            elif event.op == "fault" and event.value == "crash":
                self.last_crash = position
        self.end = history[-1].time if history else 0

    def may_be_gone(self, value: str) -> bool:
        """Whether its absence is no loss: expired, or not persistent while there were crashes (§7.7)."""
        asked = self.asked[value]
        if 0 < asked.expiration <= self.end and not self.burials.keeps_expired(asked.destination):
            return True
        return self.forgotten(value)

    def forgotten(self, value: str) -> bool:
        """Whether the server may have forgotten in a crash that it ever had the message."""
        asked = self.asked.get(value)
        return asked is not None and not asked.persistent and self.last_crash >= self.begun[value]


class Troubles:
    """When there was trouble last, of the kind that heals; `look` at each event in turn."""

    def __init__(self, history: History) -> None:
        self._lasting = {event.value for event in history if event.op == "heal"}
        self._under_way: set[str] = set()
        self.last = -1_000_000

    def look(self, event: Event) -> None:
        """There is trouble from the fault until it heals, and when a client loses its server or finds it again."""
        if event.op == "fault" and event.value in self._lasting:
            self._under_way.add(event.value)
        elif event.op == "heal":
            self._under_way.discard(event.value)
        if self._under_way or event.op in {"heal", "lost", "restored"}:
            self.last = event.time


def received_at(history: History) -> dict[str, Counter[str]]:
    """By place, how often each value was received."""
    received: dict[str, Counter[str]] = defaultdict(Counter)
    for event in history:
        if event.op == "receive":
            received[event.place][event.value] += 1
    return received


def drained_places(history: History) -> dict[str, bool]:
    """By place, whether the drain that was begun last was finished."""
    drained: dict[str, bool] = {}
    for event in history:
        if event.op == "drain":
            drained[event.place] = event.type == OK
    return drained


def remaining_at(history: History) -> dict[str, set[str]]:
    """By place, what the server still had at the end."""
    remaining: dict[str, set[str]] = defaultdict(set)
    for event in history:
        if event.op == "remains":
            remaining[event.place].add(event.value)
    return remaining


def among(destination: str, origins: set[str]) -> bool:
    """Whether a destination is one of these; `*` in them stands for one element of a name."""
    parts = destination.replace("://", ".").split(".")
    return any(
        len(parts) == len(wanted) and all(one in {"*", part} for one, part in zip(wanted, parts, strict=True))
        for wanted in (origin.replace("://", ".").split(".") for origin in origins)
    )
