"""What all checkers say of one run, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from rmimom_chaos.availability import Availability, availability
from rmimom_chaos.checkers import ALL, check_acknowledged, check_redelivery, check_times
from rmimom_chaos.cluster import HEARTBEAT
from rmimom_chaos.cluster_checkers import check_groups, check_owner
from rmimom_chaos.history import History, excerpt
from rmimom_chaos.judging import Verdict
from rmimom_chaos.machine_faults import LARGEST_STEP, ClockStep

UNNOTICED: Final = round(HEARTBEAT * 3000) + 3000
"""Milliseconds for which a server may hand messages to a client that is gone, before it notices."""
TRANSIT: Final = 15_000
"""Milliseconds that a message may be on its way, on a machine that many processes share.  It counts for messages from
the server that confirmed their acknowledgement: one that forgot it could only be another, or the same one later."""
LATE: Final = 15_000
"""Milliseconds by which a delivery may be late after it was decided: many processes share a machine."""
_OTHERWISE: Final = frozenset({"acknowledged", "times", "redelivery", "browsing"})
"""Checkers that are asked with limits of our own, or that have nothing to look at."""
VALID, INVALID, UNKNOWN = 0, 1, 2
"""What it can come to, as exit codes."""


class Judgement(msgspec.Struct, frozen=True):
    """The verdicts of a run; `trouble` is why it could not be finished, empty if it was."""

    verdicts: list[Verdict]
    availability: list[Availability]
    excerpts: dict[str, list[str]]
    trouble: str = ""

    @property
    def outcome(self) -> int:
        """`INVALID` if anything was found, else `UNKNOWN` if anything could not be judged, else `VALID`."""
        if any(verdict.valid is False for verdict in self.verdicts):
            return INVALID
        if self.trouble or any(verdict.valid is None for verdict in self.verdicts):
            return UNKNOWN
        return VALID


def judge(history: History, trouble: str = "") -> Judgement:
    """Ask all checkers."""
    verdicts = [check(history) for name, check in ALL.items() if name not in _OTHERWISE]
    verdicts += [
        check_acknowledged(history, TRANSIT),
        check_times(history, LATE, skews={ClockStep.name: 2 * LARGEST_STEP}),
        check_redelivery(history, UNNOTICED),
        check_groups(history),
        check_owner(history),
    ]
    bad = [verdict for verdict in verdicts if verdict.findings]
    excerpts = {verdict.checker: list(excerpt(history, _first(verdict.findings))) for verdict in bad}
    return Judgement(verdicts, availability(history), excerpts, trouble)


def _first(findings: Sequence[str]) -> set[str]:
    """The values of the first findings."""
    return {finding.partition(":")[0] for finding in findings[:2]}
