"""Checkers of dead letters, and of those who look into queues."""

from __future__ import annotations

from collections import Counter

from rmimom_chaos.history import INVOKE, OK, Event, History
from rmimom_chaos.judging import EXPIRED, Findings, Sends, Verdict, among


def check_dead_letters(history: History) -> Verdict:
    """What fails more often than it may becomes a dead letter, nothing else does, and it says where it came from.

    Failures are what consumers said of a message.  They count from 0 after it was sent back.  What a consumer was
    saying when it lost its server it says again, and that may be counted, too.
    """
    findings = Findings()
    sends = Sends(history)
    failures: Counter[tuple[str, str]] = Counter()  # that may have arrived, by place
    certain: Counter[tuple[str, str]] = Counter()  # that did, since it was sent back last
    blamed: Counter[str] = Counter()
    condemned: set[str] = set()  # may be dead letters
    over: dict[tuple[str, str], int] = {}  # must be, since when
    saying: dict[str, Event] = {}
    for event in history:
        key = (event.place, event.value)
        if event.op == "release":
            saying.pop(event.process, None)
        said = saying.get(event.process) if event.op == "lost" else None
        if event.op == "release" and event.type == INVOKE:
            said = saying[event.process] = event
        if said is not None:
            failures[said.place, said.value] += 1
            blamed[said.value] += 1
            if 0 <= said.maximum < failures[said.place, said.value]:
                condemned.add(said.value)
        elif event.op == "release" and event.type == OK:
            certain[key] += 1
            if 0 <= event.maximum < certain[key]:
                over.setdefault(key, event.time)
        if event.op != "receive" or event.value not in sends.asked:
            continue
        if event.retried_at:
            certain.pop(key, None)
            over.pop(key, None)
        elif over.get(key, event.time) < (event.released or event.time) and not sends.forgotten(event.value):
            findings.add(event.value, f"was delivered from {event.place} after the last failure that it may have")
        if event.dead_at:
            _judge_note(event, sends, blamed[event.value], event.value in condemned, findings)
        elif sends.burials.origins(event.place):
            findings.add(event.value, f"is in {event.place} without a note of why")
    return findings.verdict("dead letters")


def _judge_note(event: Event, sends: Sends, failures: int, condemned: bool, findings: Findings) -> None:
    if not among(sends.asked[event.value].destination, {event.origin}):
        findings.add(event.value, f"is a dead letter of {event.origin!r}, but was not sent there")
    if event.place not in sends.burials.of(event.origin):
        findings.add(event.value, f"is a dead letter in {event.place}, which is not for {event.origin!r}")
    if not event.reason:
        findings.add(event.value, "is a dead letter without a reason")
    if event.failures > failures:
        findings.add(event.value, f"has {event.failures} failures in its note, but failed {failures} times")
    if event.reason != EXPIRED and not condemned:
        findings.add(event.value, f"is a dead letter after {failures} failures, but may have more")


def check_browsing(history: History) -> Verdict:
    """A browser shows what waits, in the order of delivery, each once in a pass (§4.1.6).

    It shows nothing that was never sent there or is acknowledged, nothing before its time and nothing that expired.
    """
    findings, facts = Findings(), Counter[str]()
    sends = Sends(history)
    acknowledged: dict[tuple[str, str], int] = {}
    last: dict[str, tuple[int, int]] = {}
    for event in history:
        key = (sends.burials.family(event.place), event.value)
        if event.op == "acknowledge" and event.type == OK:
            acknowledged.setdefault(key, event.time)
        if event.op != "browse":
            continue
        facts["shown"] += 1
        asked = sends.asked.get(event.value)
        if asked is None or not among(asked.destination, {event.place, *sends.burials.origins(event.place)}):
            findings.add(event.value, f"is shown in {event.place}, but was not sent there")
            continue
        if acknowledged.get(key, event.time) < event.released and key[0] and not sends.forgotten(event.value):
            findings.add(event.value, f"is shown in {event.place} at {event.time}, but was acknowledged before")
        if event.time < asked.delivery_time:
            findings.add(event.value, f"is shown in {event.place} before its time")
        if 0 < asked.expiration <= event.released and not event.dead_at and not event.retried_at:
            findings.add(event.value, f"is shown in {event.place} after its expiration")
        place = (-asked.priority, event.tag)
        if place <= last.get(event.consumer, (-10, 0)):
            findings.add(event.value, f"is shown to {event.consumer} out of order")
        last[event.consumer] = place
    return findings.verdict("browsing", facts)
