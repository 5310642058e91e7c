"""Checkers of what only a cluster can do wrong: two owners, a deposed server that confirms, a group in two hands."""

from __future__ import annotations

from collections import Counter, defaultdict

from rmimom_chaos.history import INVOKE, OK, Event, History, producer_of
from rmimom_chaos.judging import Findings, Sends, Verdict

CONFIRMED = frozenset({"send", "acknowledge", "commit"})


def check_owner(history: History) -> Verdict:
    """Promise 8: an epoch has one holder, and what is confirmed is confirmed by the newest that anybody has seen.

    An operation that begins after another one was confirmed in epoch n may not be confirmed in an epoch before n: that
    would be a server that is active no more.
    """
    findings, facts = Findings(), Counter[str]()
    holders: dict[int, str] = {}
    newest = 0
    began: dict[tuple[str, str, str, str], int] = {}  # an operation under way: the newest epoch when it began
    for event in history:
        key = (event.process, event.op, event.value, event.transaction)
        if event.op in CONFIRMED and event.type == INVOKE:
            began[key] = newest
        if not (event.epoch and event.server):
            continue
        holder = holders.setdefault(event.epoch, event.server)
        if holder != event.server:
            findings.add(event.server, f"holds epoch {event.epoch}, says {event.process}, and so does {holder}")
        if event.op in CONFIRMED and event.type == OK:
            facts["confirmed"] += 1
            before = began.pop(key, 0)
            if event.epoch < before:
                findings.add(
                    event.value,
                    f"its {event.op} was confirmed by {event.server} in epoch {event.epoch}, "
                    f"and began when epoch {before} was confirming already",
                )
            newest = max(newest, event.epoch)
    facts["epochs"] = len(holders)
    return findings.verdict("single owner", facts, known=bool(holders))


def check_groups(history: History) -> Verdict:
    """A group of messages has one consumer at a time, and comes in order (§3.5.9).

    First deliveries of a group are in order over all consumers.  While a consumer works on a message of a group nobody
    else gets one of the group, unless something happened after which the server may have thought it gone.
    """
    findings, facts = Findings(), Counter[str]()
    sends = Sends(history)
    last: dict[tuple[str, str, str, int], int] = {}
    working: dict[tuple[str, str], dict[tuple[str, str], Event]] = defaultdict(dict)
    for event in history:
        if event.op in {"fault", "heal", "lost", "restored"}:
            working.clear()
            continue
        asked = sends.asked.get(event.value)
        if asked is None or not asked.group:
            continue
        group = (event.place, asked.group)
        if event.op in {"acknowledge", "release"}:
            working[group].pop((event.consumer, event.value), None)
        if event.op != "receive" or event.dead_at:
            continue
        facts["received"] += 1
        for consumer, value in working[group]:
            if consumer != event.consumer:
                findings.add(
                    event.value,
                    f"of group {asked.group} came to {event.consumer} while {consumer} worked on {value}",
                )
        working[group][event.consumer, event.value] = event
        producer, counter = producer_of(event.value)
        stream = (*group, producer, asked.priority)
        if event.count == 1:
            if counter <= last.get(stream, 0):
                findings.add(event.value, f"of group {asked.group} came first after {producer}-{last[stream]}")
            last[stream] = max(counter, last.get(stream, 0))
    return findings.verdict("groups", facts)
