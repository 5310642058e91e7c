"""`rmimom-admin top`: what is busy now, live."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from rmimom.admin.columns import columns
from rmimom.admin.failure import AWAY, Failure
from rmimom.admin.options import output_options
from rmimom.admin.output import Output, table
from rmimom.admin.rates import SORTS, Line, Rates, in_order
from rmimom.admin.tool import Tool, count, pass_tool

_COLUMNS: Final = columns(
    "kind", "name", "pending:number", "consumers:number", "in_per_second:number", "out_per_second:number"
)


@click.command()
@click.option("--sort", type=click.Choice(SORTS), default="pending", show_default=True, help="What comes first.")
@click.option("--filter", default="", metavar="TEXT", help="Only names that hold this text, in either case.")
@click.option("--lines", type=click.IntRange(1, 1000), default=20, show_default=True, help="Queues and topics shown.")
@click.option(
    "--interval", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.option("--times", type=click.IntRange(1), help="End after so many looks.  [default: at Ctrl-C]")
@output_options
@pass_tool
def top(tool: Tool, /, out: Output, sort: str, filter: str, lines: int, interval: float, times: int | None) -> None:
    """Show live which queues and topics are busy: what waits, and messages in and out a second.

    At a terminal the picture stays in its place; elsewhere each look is printed below the one before, and without
    --times there are two of them, for one look knows no rates.

    \b
    Examples:
      rmimom-admin top --sort in
      rmimom-admin top --times 2 --json
    """
    rates = Rates()
    live = out.for_people and sys.stdout.isatty()
    left = times if times is not None or live else 2
    with _screen(live=live) as draw, contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                found, head = _look(tool, rates, sort, filter, lines)
            except Failure as failure:
                if failure.exit_code != AWAY or not live:
                    raise
                draw(f"{time.strftime('%H:%M:%S')}  {failure.format_message()}")
            else:
                if out.for_people:
                    shown = [_row(line) for line in found]
                    draw(f"{head}\n\n{table(shown, _COLUMNS) if shown else 'nothing is there'}")
                elif left is None or left == 1:
                    out.rows([_row(line) for line in found], _COLUMNS, "")
            if left is not None:
                left -= 1
                if not left:
                    return
            time.sleep(interval)


def _look(tool: Tool, rates: Rates, sort: str, needle: str, lines: int) -> tuple[list[Line], str]:
    status = tool.client.get("/status")
    rows = [row for kind in ("queues", "topics") for row in tool.client.items(f"/{kind}", filter=needle)]
    found = rates.look(rows, time.monotonic())
    counts = status["counts"] or {}
    head = (
        f"{time.strftime('%H:%M:%S')}  {status['role']} {status['address']}, epoch {status['epoch']}; "
        f"{count(counts.get('connections', 0), 'connection')}, {count(counts.get('pending', 0), 'message')} pending; "
        f"{sum(line.rate_in for line in found):,.0f}/s in, {sum(line.rate_out for line in found):,.0f}/s out"
    )
    return in_order(found, sort)[:lines], head


def _row(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "name": line.name,
        "pending": line.pending,
        "consumers": line.consumers,
        "in_per_second": round(line.rate_in),
        "out_per_second": round(line.rate_out),
    }


@contextlib.contextmanager
def _screen(*, live: bool) -> Iterator[Callable[[str], None]]:
    """Where a look is shown: always in the same place at a terminal, else one below the other."""
    if not live:
        yield lambda text: click.echo(text + "\n")
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text(""), screen=True, auto_refresh=False) as picture:
        yield lambda text: picture.update(Text(text), refresh=True)
