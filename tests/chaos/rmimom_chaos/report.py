"""The outcome of a run for people, and for programs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.table import Table

from rmimom_chaos.judgement import INVALID, UNKNOWN, VALID
from rmimom_chaos.run import Outcome

SHOWN = 3
"""Findings of one checker that are shown; the history has all."""
_GOOD, _BAD, _OPEN = "[green]valid[/]", "[bold red]INVALID[/]", "[yellow]unknown[/]"
RESULTS: Mapping[bool | None, str] = {True: _GOOD, False: _BAD, None: _OPEN}
OUTCOMES: Mapping[int, str] = {VALID: _GOOD, INVALID: _BAD, UNKNOWN: _OPEN}


def show(outcome: Outcome, console: Console) -> None:
    """The tables: checkers, then faults."""
    judgement = outcome.judgement
    table = Table("checker", "result", "counted", title="what the clients saw")
    for verdict in judgement.verdicts:
        counted = ", ".join(f"{name} {number}" for name, number in sorted(verdict.facts.items()))
        table.add_row(verdict.checker, RESULTS[verdict.valid], counted)
    console.print(table)
    for verdict in judgement.verdicts:
        if verdict.findings:
            console.print(f"{verdict.checker}: {len(verdict.findings)} findings", style="bold red", markup=False)
            for finding in verdict.findings[:SHOWN]:
                console.print(f"  {finding}", markup=False)
            for line in judgement.excerpts.get(verdict.checker, []):
                console.print(f"    {line}", markup=False, style="dim")
    table = Table("fault", "times", "longest gap, median ms", "worst ms", title="nothing was confirmed for")
    for row in judgement.availability:
        table.add_row(row.fault, str(row.times), str(row.median), str(row.longest))
    for name, why in sorted(outcome.skipped.items()):
        table.add_row(name, "skipped", why, "")
    console.print(table)
    if judgement.trouble:
        console.print(f"the run could not be finished: {judgement.trouble}", markup=False, style="yellow")
    console.print(f"{OUTCOMES[judgement.outcome]}: {outcome.events} events, {outcome.seconds:.0f} s of faults")


def as_json(outcome: Outcome) -> str:
    """All of it as one JSON object."""
    return msgspec.json.encode({**msgspec.to_builtins(outcome), "outcome": outcome.judgement.outcome}).decode()
