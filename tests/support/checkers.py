"""Checkers: pure functions from a history to a verdict, each in one or two passes.

They know nothing of the server: they judge histories of the simulation and of real processes alike.  The history must
be in the order of time, each event as its process saw it.  `ALL` has them by name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import msgspec
from support.history import FAIL, INVOKE, OK, Event, History, producer_of


class Verdict(msgspec.Struct, frozen=True):
    """What a checker says: valid, not valid, or None if the history cannot tell.

    `findings` name every violation, `values` the messages that they speak of, `facts` are numbers for reports.
    """

    checker: str
    valid: bool | None
    findings: list[str]
    values: set[str]
    facts: Mapping[str, int] = {}


class _Findings:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: set[str] = set()

    def add(self, value: str, text: str) -> None:
        self.lines.append(f"{value}: {text}")
        self.values.add(value)

    def verdict(self, checker: str, facts: Mapping[str, int] | None = None, *, known: bool = True) -> Verdict:
        valid = False if self.lines else (True if known else None)
        return Verdict(checker, valid, self.lines, self.values, facts or {})


class _Sends:
    """What was sent and what became of it."""

    def __init__(self, history: History) -> None:
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
        if asked.expiration and asked.expiration <= self.end:
            return True
        return self.forgotten(value)

    def forgotten(self, value: str) -> bool:
        """Whether the server may have forgotten in a crash that it ever had the message."""
        asked = self.asked.get(value)
        return asked is not None and not asked.persistent and self.last_crash >= self.begun[value]


def _received(history: History) -> dict[str, Counter[str]]:
    """By place, how often each value was received."""
    received: dict[str, Counter[str]] = defaultdict(Counter)
    for event in history:
        if event.op == "receive":
            received[event.place][event.value] += 1
    return received


def _drained(history: History) -> dict[str, bool]:
    """By place, whether the drain that was begun last was finished."""
    drained: dict[str, bool] = {}
    for event in history:
        if event.op == "drain":
            drained[event.place] = event.type == OK
    return drained


def _remaining(history: History) -> dict[str, set[str]]:
    """By place, what the server still had at the end."""
    remaining: dict[str, set[str]] = defaultdict(set)
    for event in history:
        if event.op == "remains":
            remaining[event.place].add(event.value)
    return remaining


def _judge_place(
    place: str,
    expected: Iterable[str],
    possible: set[str],
    sends: _Sends,
    received: Counter[str],
    remaining: set[str],
    drained: bool,
    findings: _Findings,
    facts: Counter[str],
) -> bool:
    """Lost, unexpected, duplicated and recovered messages of one place; whether it can be judged at all."""
    judged = True
    for value in expected:
        if value in received or value in remaining or sends.may_be_gone(value):
            continue
        if drained:
            findings.add(value, f"was accepted for {place} and is lost")
            facts["lost"] += 1
        else:
            judged = False
    for value, copies in received.items():
        if value not in possible:
            findings.add(value, f"was received from {place} though it was never sent there, or its send was refused")
            facts["unexpected"] += 1
        elif value not in sends.done:
            facts["recovered"] += 1
        facts["duplicated"] += copies - 1
    facts["received"] += len(received)
    return judged and drained


def check_total_queue(history: History) -> Verdict:
    """Queues: what was accepted comes out, and nothing else does.

    A drain that was cut short makes the run unknown, never valid.
    """
    sends, received, remaining, drained = _Sends(history), _received(history), _remaining(history), _drained(history)
    findings, facts = _Findings(), Counter[str]()
    queues = {event.destination for event in sends.asked.values() if event.destination.startswith("queue://")}
    known = True
    for queue in sorted(queues | {place for place in received if place.startswith("queue://")}):
        sent = [value for value, event in sends.asked.items() if event.destination == queue]
        known &= _judge_place(
            queue,
            [value for value in sent if value in sends.done],
            set(sent) - sends.failed,
            sends,
            received[queue],
            remaining[queue],
            drained.get(queue, False),
            findings,
            facts,
        )
    return findings.verdict("total queue", facts, known=known)


def check_durable_subscriptions(history: History) -> Verdict:
    """Promise 6: a durable subscription that existed during the whole send gets the message (§8.3.3)."""
    sends, received, remaining, drained = _Sends(history), _received(history), _remaining(history), _drained(history)
    findings, facts = _Findings(), Counter[str]()
    topics: dict[str, str] = {}
    least: dict[str, int] = {}
    lives: dict[str, tuple[int, int, int]] = {}  # place: first asked for, there, no more there
    never = len(history)
    for position, event in enumerate(history):
        if event.op == "subscribe" and event.place:
            begun, there, gone = lives.get(event.place, (position, never, never))
            if event.type == OK:
                there = min(there, position)
            lives[event.place] = begun, there, gone
            topics[event.place] = event.destination or topics.get(event.place, "")
            least[event.place] = event.least_priority
        elif event.op == "unsubscribe" and event.type == INVOKE and event.place in lives:
            begun, there, _ = lives[event.place]
            lives[event.place] = begun, there, position
    known = True
    for place, (begun, there, gone) in sorted(lives.items()):
        sent = [
            value
            for value, event in sends.asked.items()
            if event.destination == topics[place] and event.priority >= least[place]
        ]
        # What waited in a subscription went with it, so nothing can be expected of one that was deleted.
        expected = [value for value in sent if value in sends.done and there < sends.begun[value]]
        known &= _judge_place(
            place,
            expected if gone == never else [],
            {value for value in sent if value not in sends.failed and begun < sends.done.get(value, never)},
            sends,
            received[place],
            remaining[place],
            gone < never or drained.get(place, False),
            findings,
            facts,
        )
    return findings.verdict("durable subscriptions", facts, known=known)


def check_acknowledged(history: History) -> Verdict:
    """Promise 2: what was acknowledged is never delivered again (§6.2.11)."""
    findings = _Findings()
    sends = _Sends(history)
    acknowledged: dict[tuple[str, str], int] = {}
    for event in history:
        key = (event.place, event.value)
        if event.op == "acknowledge" and event.type == OK:
            acknowledged.setdefault(key, event.time)
        elif event.op == "receive" and key in acknowledged and not sends.forgotten(event.value):
            released = event.released or event.time
            if released > acknowledged[key]:
                findings.add(
                    event.value,
                    f"was acknowledged at {event.place} at {acknowledged[key]} and delivered again at {released}",
                )
        elif event.op == "remains" and key in acknowledged:
            findings.add(event.value, f"was acknowledged at {event.place} and is still there")
    return findings.verdict("acknowledged", {"acknowledged": len(acknowledged)})


def check_duplicates(history: History) -> Verdict:
    """Promise 3: however often a producer repeats itself, its message is stored once.

    A message has one tag in a place as long as it lives, and a tag stands for one message.  Where tags are unknown, a
    second first delivery gives the duplicate away.  Non-persistent messages may be repeated after a crash, in which
    the server forgot that it had them.
    """
    findings = _Findings()
    sends = _Sends(history)
    tags: dict[tuple[str, str], int] = {}
    values: dict[int, str] = {}
    fresh: set[tuple[str, str]] = set()
    for event in history:
        if event.op != "receive":
            continue
        key = (event.place, event.value)
        if event.tag:
            known_value = values.setdefault(event.tag, event.value)
            if known_value != event.value:
                findings.add(event.value, f"has the tag {event.tag} of {known_value}")
        if sends.forgotten(event.value):
            continue
        if event.tag:
            known = tags.setdefault(key, event.tag)
            if known != event.tag:
                findings.add(event.value, f"is at {event.place} twice, under the tags {known} and {event.tag}")
        elif event.count == 1:
            if key in fresh:
                findings.add(event.value, f"was delivered twice from {event.place} as if for the first time")
            fresh.add(key)
    return findings.verdict("duplicates")


def check_order(history: History) -> Verdict:
    """Promise 4: FIFO for each producer, destination, priority, mode and delivery time (§6.2.9, §7.9).

    To each consumer first deliveries come in order.  A subscription has one consumer at a time, so there first
    deliveries are in order over all its consumers, and to each of them everything is, but what it gave back itself.
    """
    findings = _Findings()
    sends = _Sends(history)
    released: set[tuple[str, str]] = set()
    last_new: dict[tuple[object, ...], int] = {}
    last_any: dict[tuple[object, ...], int] = {}
    for event in history:
        if event.op == "release":
            released.add((event.consumer, event.value))
        if event.op != "receive" or event.value not in sends.asked or sends.forgotten(event.value):
            continue
        asked = sends.asked[event.value]
        producer, counter = producer_of(event.value)
        stream = (event.place, producer, asked.priority, asked.persistent, asked.delivery_time)
        alone = not event.place.startswith("queue://")
        if event.count == 1:
            key = stream if alone else (*stream, event.consumer)
            if counter <= last_new.get(key, 0):
                findings.add(event.value, f"came to {event.consumer} of {event.place} after {producer}-{last_new[key]}")
            last_new[key] = max(counter, last_new.get(key, 0))
        if alone:
            key = (*stream, event.consumer)
            if counter <= last_any.get(key, 0) and (event.consumer, event.value) not in released:
                findings.add(
                    event.value,
                    f"came again to {event.consumer} of {event.place} after {producer}-{last_any[key]}",
                )
            last_any[key] = max(counter, last_any.get(key, 0))
    return findings.verdict("order")


LATE = 2000
"""Milliseconds by which a delivery may be late after it was decided: disk and network take their time."""
FULL = 6000
"""Milliseconds from the beginning of a full disk in which what was decided before waits to be told."""


def check_times(history: History, late: int = LATE) -> Verdict:
    """Promise 7: nothing before its delivery time (§7.9), nothing after its expiration (§3.4.9)."""
    findings = _Findings()
    sends = _Sends(history)
    last_full = -FULL
    for event in history:
        if event.op == "fault" and event.value == "full":
            last_full = event.time
        asked = sends.asked.get(event.value)
        if event.op != "receive" or asked is None:
            continue
        when = event.released or event.time
        if when < asked.delivery_time:
            findings.add(event.value, f"was delivered {asked.delivery_time - when} ms before its time")
        if asked.expiration and when > asked.expiration + late and when > last_full + FULL:
            findings.add(event.value, f"was delivered {when - asked.expiration} ms after its expiration")
    return findings.verdict("times")


def check_conservation(history: History) -> Verdict:
    """Promise 7: in = consumed + expired + still there, for each queue.

    Consumed is what somebody tried to acknowledge.  It needs the `remains` of the end; without a finished drain it
    cannot tell.
    """
    sends, remaining, drained = _Sends(history), _remaining(history), _drained(history)
    findings, facts = _Findings(), Counter[str]()
    trying: dict[tuple[str, str], set[str]] = defaultdict(set)  # who
    for event in history:
        if event.op == "acknowledge":
            who = trying[event.place, event.value]
            who.discard(event.process) if event.type == FAIL else who.add(event.process)
    known = True
    for value, asked in sends.asked.items():
        queue = asked.destination
        if value not in sends.done or not queue.startswith("queue://"):
            continue
        known &= drained.get(queue, False)
        facts["in"] += 1
        if value in remaining[queue]:
            facts["there"] += 1
        elif trying[queue, value]:
            facts["consumed"] += 1
        elif sends.may_be_gone(value):
            facts["expired"] += 1
        elif drained.get(queue, False):
            findings.add(value, f"is neither consumed nor expired nor in {queue}")
    return findings.verdict("conservation", facts, known=known)


def check_transactions(history: History) -> Verdict:
    """Promise 5: a transaction is all or nothing over all its destinations, and nothing of it comes late (§6.2.7).

    What was rolled back is never seen.  If nobody knows how a commit ended, its sends are there all or none, and if
    they are there, what it acknowledged is gone.
    """
    sends, received, remaining, drained = _Sends(history), _received(history), _remaining(history), _drained(history)
    findings, facts = _Findings(), Counter[str]()
    outcomes: dict[str, str] = {}
    sent: dict[str, set[str]] = defaultdict(set)
    acknowledged: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in history:
        if event.op == "commit":
            outcomes[event.transaction] = event.type
        elif event.transaction and event.op == "send":
            sent[event.transaction].add(event.value)
        elif event.transaction and event.op == "acknowledge":
            acknowledged[event.transaction].add((event.place, event.value))
    seen = {value for values in (*received.values(), *remaining.values()) for value in values}
    known = True
    for transaction, outcome in outcomes.items():
        facts[outcome] += 1
        values = sent[transaction]
        there = values & seen
        if outcome == FAIL:
            for value in there:
                findings.add(value, f"was delivered though {transaction} was rolled back")
            continue
        # On a topic a message may find nobody, so only queues can show that something is missing.
        on_queues = {value for value in values if sends.asked[value].destination.startswith("queue://")}
        if not all(drained.get(sends.asked[value].destination, False) for value in on_queues):
            known = False
            continue
        missing = {value for value in on_queues - seen if not sends.may_be_gone(value)}
        if missing and (there or outcome == OK):
            for value in missing:
                findings.add(value, f"is missing, though {transaction} was committed")
        if there or outcome == OK:
            for place, value in acknowledged[transaction]:
                if value in remaining[place]:
                    findings.add(value, f"is still at {place}, though {transaction} was committed")
    return findings.verdict("transactions", facts, known=known)


UNNOTICED = 3000
"""Milliseconds for which a server may hand messages to a client that is gone, before it notices."""


def check_redelivery(history: History, unnoticed: int = UNNOTICED) -> Verdict:
    """A message comes once with count 1, and no two deliveries have the same count (§3.4.7, §3.5.11).

    A first delivery has count 1, unless something happened since its send, or not long before, after which the server
    may have delivered it in vain.
    """
    findings = _Findings()
    sends = _Sends(history)
    counts: dict[tuple[str, str], set[int]] = defaultdict(set)
    last_trouble = -unnoticed
    for event in history:
        if event.op in {"fault", "release"}:
            last_trouble = event.time
        if event.op != "receive":
            continue
        seen = counts[event.place, event.value]
        if event.count < 1:
            findings.add(event.value, f"has delivery count {event.count}")
        if event.count in seen and not sends.forgotten(event.value):
            findings.add(event.value, f"was delivered twice from {event.place} with count {event.count}")
        asked = sends.asked.get(event.value)
        if not seen and event.count > 1 and asked is not None and last_trouble + unnoticed < asked.time:
            findings.add(event.value, f"came first from {event.place} with count {event.count}, without a reason")
        seen.add(event.count)
    return findings.verdict("redelivery")


def longest_gap(history: History, op: str = "") -> int:
    """Availability: the longest time, in milliseconds, in which no operation succeeded."""
    times = [event.time for event in history if event.type == OK and op in {"", event.op}]
    return max((later - earlier for earlier, later in pairwise(times)), default=0)


ALL: Mapping[str, Callable[[History], Verdict]] = {
    "total queue": check_total_queue,
    "durable subscriptions": check_durable_subscriptions,
    "acknowledged": check_acknowledged,
    "duplicates": check_duplicates,
    "order": check_order,
    "times": check_times,
    "conservation": check_conservation,
    "redelivery": check_redelivery,
    "transactions": check_transactions,
}


def check_all(history: History) -> list[Verdict]:
    """Every checker's verdict."""
    return [check(history) for check in ALL.values()]
