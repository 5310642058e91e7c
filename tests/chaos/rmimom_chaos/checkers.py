"""Checkers: pure functions from a history to a verdict, each in one or two passes.

They know nothing of the server: they judge histories of the simulation and of real processes alike.  The history must
be in the order of time, each event as its process saw it.  `ALL` has them by name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType

from rmimom_chaos.burial_checkers import check_browsing, check_dead_letters
from rmimom_chaos.history import FAIL, INVOKE, OK, Event, History, producer_of
from rmimom_chaos.judging import (
    EXPIRED,
    Findings,
    Sends,
    Troubles,
    Verdict,
    among,
    drained_places,
    received_at,
    remaining_at,
)


def _judge_place(
    place: str,
    expected: Iterable[str],
    possible: set[str],
    sends: Sends,
    received: Counter[str],
    remaining: set[str],
    drained: bool,
    findings: Findings,
    facts: Counter[str],
) -> bool:
    """Lost, unexpected, duplicated and recovered messages of one place; whether it can be judged at all.

    `remaining` is what is still there, or in its queues for the dead.
    """
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
    sends, received, remaining, drained = (
        Sends(history),
        received_at(history),
        remaining_at(history),
        drained_places(history),
    )
    findings, facts = Findings(), Counter[str]()
    queues = {event.destination for event in sends.asked.values() if event.destination.startswith("queue://")}
    known = True
    for queue in sorted(queues | {place for place in received if place.startswith("queue://")}):
        origins = {queue, *sends.burials.origins(queue)}
        sent = [value for value, event in sends.asked.items() if event.destination == queue]
        buried = [value for value, event in sends.asked.items() if among(event.destination, origins)]
        known &= _judge_place(
            queue,
            [value for value in sent if value in sends.done],
            set(buried) - sends.failed,
            sends,
            received[queue],
            remaining[queue].union(*(remaining[grave] | received[grave].keys() for grave in sends.burials.of(queue))),
            drained.get(queue, False),
            findings,
            facts,
        )
    return findings.verdict("total queue", facts, known=known)


class _Subscription:
    """The life of a durable subscription: positions in the history, and what it takes."""

    def __init__(self, position: int, event: Event) -> None:
        self.begun = position
        self.there: int | None = None
        self.gone = False
        self.asked = event

    def meant(self, sends: Sends) -> list[str]:
        """What was sent to its topic, or to those that its pattern matches, and is not left out by its selector."""
        return [
            value
            for value, event in sends.asked.items()
            if event.priority >= self.asked.least_priority and among(event.destination, {self.asked.destination})
        ]

    def expected(self, sends: Sends) -> list[str]:
        """What it must have got.  What waited in a subscription goes with it, so nothing if it was deleted."""
        there = self.there
        if there is None or self.gone:
            return []
        return [value for value in self.meant(sends) if value in sends.done and there < sends.begun[value]]


def _subscriptions(history: History) -> dict[str, _Subscription]:
    lives: dict[str, _Subscription] = {}
    for position, event in enumerate(history):
        if event.op == "subscribe" and event.place:
            life = lives.setdefault(event.place, _Subscription(position, event))
            if event.type == OK and life.there is None:
                life.there = position
                life.asked = event
        elif event.op == "unsubscribe" and event.type == INVOKE and event.place in lives:
            lives[event.place].gone = True
    return lives


def check_durable_subscriptions(history: History) -> Verdict:
    """Promise 6: a durable subscription that existed during the whole send gets the message (§8.3.3)."""
    sends, received, remaining, drained = (
        Sends(history),
        received_at(history),
        remaining_at(history),
        drained_places(history),
    )
    findings, facts = Findings(), Counter[str]()
    lives = _subscriptions(history)
    known = True
    never = len(history)
    for place, life in sorted(lives.items()):
        sent = life.meant(sends)
        known &= _judge_place(
            place,
            life.expected(sends),
            {value for value in sent if value not in sends.failed and life.begun < sends.done.get(value, never)},
            sends,
            received[place],
            remaining[place],
            life.gone or drained.get(place, False),
            findings,
            facts,
        )
    return findings.verdict("durable subscriptions", facts, known=known)


def check_acknowledged(history: History, transit: int = 0) -> Verdict:
    """Promise 2: what was acknowledged is never delivered again (§6.2.11), from there or as a dead letter.

    A message that was on its way to somebody else when it was acknowledged may arrive up to `transit` milliseconds
    later, but not from a server that became active after the one that confirmed the acknowledgement.
    """
    findings = Findings()
    sends = Sends(history)
    acknowledged: dict[tuple[str, str], int] = {}
    epochs: dict[tuple[str, str], int] = {}
    for event in history:
        key = (sends.burials.family(event.place), event.value)
        if not key[0]:
            continue
        if event.op == "acknowledge" and event.type == OK:
            acknowledged.setdefault(key, event.time)
            epochs.setdefault(key, event.epoch)
        elif event.op == "receive" and key in acknowledged and not sends.forgotten(event.value):
            released = event.released or event.time
            on_its_way = 0 if event.epoch > epochs[key] > 0 else transit
            if released > acknowledged[key] + on_its_way:
                findings.add(
                    event.value,
                    f"was acknowledged at {key[0]} at {acknowledged[key]} and delivered again at {released}",
                )
        elif event.op == "remains" and key in acknowledged:
            findings.add(event.value, f"was acknowledged at {key[0]} and is still there")
    return findings.verdict("acknowledged", {"acknowledged": len(acknowledged)})


def check_duplicates(history: History) -> Verdict:
    """Promise 3: however often a producer repeats itself, its message is stored once.

    A message has one tag as long as it lives, wherever it is, and a tag stands for one message.  Where tags are
    unknown, a second first delivery gives the duplicate away.  Non-persistent messages may be repeated after a crash,
    in which the server forgot that it had them.
    """
    findings = Findings()
    sends = Sends(history)
    tags: dict[str, int] = {}
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
            known = tags.setdefault(event.value, event.tag)
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
    findings = Findings()
    sends = Sends(history)
    released: set[tuple[str, str]] = set()
    put_off: set[tuple[str, str]] = set()
    last_new: dict[tuple[object, ...], int] = {}
    last_any: dict[tuple[object, ...], int] = {}
    for event in history:
        if event.op == "release":
            released.add((event.consumer, event.value))
            if event.delivery_time:
                put_off.add((event.place, event.value))
        if event.op != "receive" or event.value not in sends.asked or sends.forgotten(event.value):
            continue
        if event.retried_at or sends.burials.origins(event.place):
            continue  # others went on meanwhile
        asked = sends.asked[event.value]
        producer, counter = producer_of(event.value)
        stream = (event.place, producer, asked.destination, asked.priority, asked.persistent, asked.delivery_time)
        alone = not event.place.startswith("queue://") and not event.shared
        if event.count == 1:
            key = stream if alone else (*stream, event.consumer)
            if counter <= last_new.get(key, 0):
                findings.add(event.value, f"came to {event.consumer} of {event.place} after {producer}-{last_new[key]}")
            last_new[key] = max(counter, last_new.get(key, 0))
        if alone and (event.place, event.value) not in put_off:
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


def check_times(history: History, late: int = LATE, skews: Mapping[str, int] = MappingProxyType({})) -> Verdict:
    """Promise 7: nothing before its delivery time (§7.9), nothing after its expiration (§3.4.9).

    After a failure nothing before the time that was asked for, unless there was trouble after which the server cannot
    know of it any more.  A dead letter does not expire, and nothing is buried as expired too early.  What was decided
    before a fault that heals may wait until then.  `skews` are faults after which the clock of a server may be wrong by
    so many milliseconds.
    """
    findings = Findings()
    sends = Sends(history)
    last_full = -FULL
    skew = 0
    put_off: dict[tuple[str, str], int] = {}
    troubles = Troubles(history)
    for event in history:
        key = (event.place, event.value)
        troubles.look(event)
        if event.op == "fault":
            put_off.clear()
            skew = max(skew, skews.get(event.value, 0))
            if event.value == "full":
                last_full = event.time
        elif event.op == "release":
            put_off.pop(key, None)
            if event.type == OK and event.delivery_time:
                put_off[key] = event.delivery_time
        asked = sends.asked.get(event.value)
        if event.op != "receive" or asked is None:
            continue
        when = event.released or event.time
        if when < asked.delivery_time - skew:
            findings.add(event.value, f"was delivered {asked.delivery_time - when} ms before its time")
        if event.reason == EXPIRED and not 0 < asked.expiration <= event.dead_at + skew:
            findings.add(event.value, f"was buried as expired at {event.dead_at}, but expires at {asked.expiration}")
        if event.dead_at or event.retried_at:
            continue
        if when < put_off.pop(key, 0) - skew:
            findings.add(event.value, f"came again to {event.place} before the delay after its failure was over")
        if 0 < asked.expiration < when - late - skew and asked.expiration > troubles.last and when > last_full + FULL:
            findings.add(event.value, f"was delivered {when - asked.expiration} ms after its expiration")
    return findings.verdict("times")


def check_conservation(history: History) -> Verdict:
    """Promise 7: in = consumed + dead + expired + still there, for each queue and durable subscription.

    Consumed is what somebody tried to acknowledge, there or as a dead letter.  It needs the `remains` of the end;
    without a finished drain it cannot tell.
    """
    sends, remaining, drained = Sends(history), remaining_at(history), drained_places(history)
    findings, facts = Findings(), Counter[str]()
    trying: dict[tuple[str, str], set[str]] = defaultdict(set)  # who
    for event in history:
        if event.op == "acknowledge":
            who = trying[event.place, event.value]
            who.discard(event.process) if event.type == FAIL else who.add(event.process)
    expected = [
        (value, asked.destination, asked.destination)
        for value, asked in sends.asked.items()
        if value in sends.done and asked.destination.startswith("queue://")
    ]
    for place, life in _subscriptions(history).items():
        expected += [(value, place, life.asked.destination) for value in life.expected(sends)]
    known = True
    for value, place, origin in expected:
        judged = drained.get(place, False)
        known &= judged
        facts["in"] += 1
        graves = sends.burials.of(origin)
        if value in remaining[place]:
            facts["there"] += 1
        elif any(value in remaining[grave] for grave in graves):
            facts["dead"] += 1
        elif any(trying[one, value] for one in (place, *graves)):
            facts["consumed"] += 1
        elif sends.may_be_gone(value):
            facts["expired"] += 1
        elif judged:
            findings.add(value, f"is neither consumed nor expired nor dead nor in {place}")
    return findings.verdict("conservation", facts, known=known)


def check_transactions(history: History) -> Verdict:
    """Promise 5: a transaction is all or nothing over all its destinations, and nothing of it comes late (§6.2.7).

    What was rolled back is never seen.  If nobody knows how a commit ended, its sends are there all or none, and if
    they are there, what it acknowledged is gone.
    """
    sends, received, remaining, drained = (
        Sends(history),
        received_at(history),
        remaining_at(history),
        drained_places(history),
    )
    findings, facts = Findings(), Counter[str]()
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
UNCOUNTED = 0
"""Where deliveries are kept whose count nobody knows."""


def check_redelivery(history: History, unnoticed: int = UNNOTICED) -> Verdict:
    """A message comes once with count 1, and no two deliveries of one epoch have the same count (§3.4.7, §3.5.11).

    A server that is lost may not have heard of a failure that its client knows of: then the next epoch begins with an
    older count, but never with 1.  What a client delivers again by itself has no epoch.  Where a count says only that
    it was delivered before, it is another one each time.

    A first delivery has count 1, unless something happened since its send, or not long before, after which the server
    may have delivered it in vain.  What heals has happened all the time until then.
    """
    findings = Findings()
    sends = Sends(history)
    counts: dict[tuple[str, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    last_trouble = -unnoticed
    troubles = Troubles(history)
    for event in history:
        troubles.look(event)
        if event.op in {"fault", "release"}:
            last_trouble = event.time
        last_trouble = max(last_trouble, troubles.last)
        if event.op != "receive":
            continue
        family = sends.burials.family(event.place)
        if event.count < 1:
            findings.add(event.value, f"has delivery count {event.count}")
        if not family:
            continue
        seen = counts[family, event.value]
        epochs = seen.get(event.count, set())
        same = event.counted and (event.epoch in epochs or (epochs and event.count == 1))
        if same and not sends.forgotten(event.value):
            findings.add(event.value, f"was delivered twice from {family} with count {event.count}")
        asked = sends.asked.get(event.value)
        if not seen and event.count > 1 and asked is not None and last_trouble + unnoticed < asked.time:
            findings.add(event.value, f"came first from {event.place} with count {event.count}, without a reason")
        seen[event.count if event.counted else UNCOUNTED].add(event.epoch)
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
    "dead letters": check_dead_letters,
    "browsing": check_browsing,
}


def check_all(history: History) -> list[Verdict]:
    """Every checker's verdict."""
    return [check(history) for check in ALL.values()]
