"""How the demonstration looks in a terminal."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType

import click
import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table

from rmimom.demo.director import ARCHIVE, DESK, WORKERS
from rmimom.demo.outcome import Outcome
from rmimom.demo.tally import Tally

REFRESH = 10
"""Pictures a second."""


class View:
    """A live picture of the demonstration on a terminal, plain lines elsewhere; nothing at all for JSON."""

    def __init__(self, total: int, strong: int, as_json: bool) -> None:
        self._total = total
        self._strong = strong
        self._as_json = as_json
        self._console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False)
        self._steps: list[str] = []
        self._began = time.monotonic()
        self._live: Live | None = None
        self._drawn = 0.0

    def __enter__(self) -> View:
        if self._console.is_terminal and not self._as_json:
            self._live = Live(console=self._console, refresh_per_second=REFRESH, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def watch(self, what: str, tally: Tally) -> None:
        """Take note of a step (empty: only the counts changed)."""
        if what:
            line = f"{time.monotonic() - self._began:6.1f} s  {what}"
            self._steps.append(line)
            if self._live is None and not self._as_json:
                self._console.print(line)
        now = time.monotonic()
        if self._live is not None and (what or now - self._drawn > 1 / REFRESH):
            self._drawn = now
            self._live.update(self._picture(tally))

    def _picture(self, tally: Tally) -> Table:
        picture = Table.grid(padding=(0, 2))
        for name, seen, expected in (
            ("published", tally.published, self._total),
            (ARCHIVE, tally.count(ARCHIVE), self._total),
            (DESK, tally.count(DESK), self._strong),
            *((worker, tally.count(worker), self._strong) for worker in WORKERS),
        ):
            width = 40 * seen // expected if expected else 0
            bar = f"[green]{'█' * width}[/][dim]{'░' * (40 - width)}[/]"
            picture.add_row(name, bar, f"{seen:,} of {expected:,}")
        for step in self._steps[-8:]:
            picture.add_row("", step, "")
        return picture

    def close(self, outcome: Outcome) -> None:
        """Show the closing table."""
        if self._as_json:
            click.echo(
                json.dumps(
                    {
                        "ok": outcome.ok,
                        "rows": [msgspec.to_builtins(row) for row in outcome.rows],
                        "pause_ms": round(outcome.pause * 1000),
                        "active": outcome.active,
                        "active_must_be": outcome.successor,
                    },
                    indent=2,
                )
            )
            return
        table = Table(title=outcome.title)
        for title in ("", "seen", "must be", "twice", ""):
            table.add_column(title, justify="right" if title else "left")
        for row in outcome.rows:
            table.add_row(row.name, f"{row.seen:,}", f"{row.expected:,}", f"{row.duplicates:,}", _mark(row.ok))
        table.add_section()
        active, successor = outcome.active, outcome.successor
        table.add_row("server that is active at the end", active or "nobody", successor, "", _mark(active == successor))
        table.add_row("pause from the kill to the next publish", f"{outcome.pause * 1000:,.0f} ms")
        self._console.print(table)


def _mark(ok: bool) -> str:
    return "[green]right[/]" if ok else "[red]WRONG[/]"
