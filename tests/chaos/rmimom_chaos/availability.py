"""Availability: how long nothing was confirmed, for each fault."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from rmimom_chaos.cluster_checkers import CONFIRMED
from rmimom_chaos.history import OK, History

AFTERMATH = 10_000
"""Milliseconds after a fault healed in which a gap still counts as its own."""


class Gap(msgspec.Struct, frozen=True):
    """The longest time without a confirmed operation from the beginning of one fault on, in milliseconds."""

    fault: str
    began: int
    milliseconds: int


class Availability(msgspec.Struct, frozen=True):
    """All gaps of one kind of fault."""

    fault: str
    times: int
    median: int
    longest: int


def gaps(history: History) -> list[Gap]:
    """One gap for each fault, until some time after it healed, or until the next fault."""
    confirmed = [event.time for event in history if event.type == OK and event.op in CONFIRMED]
    faults = [event for event in history if event.op == "fault"]
    heals = [event for event in history if event.op == "heal"]
    found = []
    for number, fault in enumerate(faults, 1):
        healed = min((heal.time for heal in heals if heal.value == fault.value and heal.time >= fault.time), default=0)
        # When nobody works any more nothing can be missed.
        end = min((healed or fault.time) + AFTERMATH, confirmed[-1] if confirmed else fault.time)
        if number < len(faults):
            end = min(end, faults[number].time)
        found.append(Gap(fault.value, fault.time, _longest(confirmed, fault.time, end)))
    return found


def _longest(confirmed: Iterable[int], begin: int, end: int) -> int:
    """The longest gap that touches a stretch of time; what goes on beyond its end counts in full."""
    longest, last = 0, begin
    for time in confirmed:
        if time <= begin:
            continue
        longest = max(longest, time - last)
        last = time
        if time >= end:
            return longest
    return max(longest, end - last)


def availability(history: History) -> list[Availability]:
    """The gaps by kind of fault, in the order of names."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for gap in gaps(history):
        kinds[gap.fault].append(gap.milliseconds)
    return [
        Availability(fault, len(found), round(statistics.median(found)), max(found))
        for fault, found in sorted(kinds.items())
    ]
