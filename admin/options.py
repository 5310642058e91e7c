"""Options that commands share, and what they do to them."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from rmimom.admin.failure import AWAY, Failure
from rmimom.admin.output import FORMATS, Output

F = TypeVar("F", bound=Callable[..., Any])

WATCH_SECONDS: Final = 2.0
_TO_THE_TOP: Final = "\x1b[H\x1b[2J"


def output_options(function: F) -> F:
    """`-o` and `--json`: the command gets an `Output` as `out`."""

    @functools.wraps(function)
    def command(*arguments: Any, output_format: str | None, as_json: bool, **options: Any) -> Any:
        if as_json and output_format not in {None, "json"}:
            raise click.UsageError(f"say --json or -o {output_format}, not both")
        form = "json" if as_json else output_format or "table"
        return function(*arguments, out=Output(form), **options)  # type: ignore[arg-type]  # click.Choice has checked it

    command = click.option("--json", "as_json", is_flag=True, help="Short for -o json.")(command)
    return click.option(
        "-o", "--output", "output_format", type=click.Choice(FORMATS), help="How to print it.  [default: table]"
    )(command)  # type: ignore[return-value]  # it takes what `function` takes, but for `out`


def reading(function: F) -> F:
    """The options of every command that only looks: how to print what it found, and whether to look again."""

    @functools.wraps(function)
    def command(*arguments: Any, watch: float | None, times: int | None, **options: Any) -> Any:
        if watch is None:
            if times is not None:
                raise click.UsageError("--times goes with --watch")
            return function(*arguments, **options)
        return _watch(lambda: function(*arguments, **options), watch, times, options["out"])

    command = click.option("--times", type=click.IntRange(1), help="With --watch: look so many times.")(command)
    command = click.option(
        "--watch",
        type=click.FloatRange(0.1, 86_400),
        is_flag=False,
        flag_value=WATCH_SECONDS,
        metavar="[SECONDS]",
        help=f"Look again and again, every {WATCH_SECONDS:g} seconds or as said, until Ctrl-C.",
    )(command)
    return output_options(command)  # type: ignore[return-value]  # the same with more options


def _watch(look: Callable[[], Any], seconds: float, times: int | None, out: Output) -> None:
    """Look again and again.  A server that is away is told of and waited for: a failover is worth watching."""
    at_terminal = sys.stdout.isatty() and out.for_people
    done = 0
    try:
        while True:
            if at_terminal:
                click.echo(_TO_THE_TOP, nl=False)
                click.echo(f"{time.strftime('%H:%M:%S')}, every {seconds:g} s; Ctrl-C ends\n")
            elif done and out.for_people:
                click.echo()
            try:
                look()
            except Failure as failure:
                if failure.exit_code != AWAY:
                    raise
                click.echo(f"Error: {failure.format_message()}", err=not at_terminal)
            done += 1
            if done == times:
                return
            time.sleep(seconds)
    except KeyboardInterrupt:
        return


def list_options(*sorts: str) -> Callable[[F], F]:
    """`--filter`, `--sort`, `--desc` and `--limit` of lists that can be sorted by `sorts`; by the first if not said."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*arguments: Any, filter: str, sort: str, desc: bool, limit: int | None, **options: Any) -> Any:
            query = {"filter": filter, "sort": sort, "order": "desc" if desc else "asc"}
            return function(*arguments, query=query, most=limit, **options)

        command = click.option("--limit", type=click.IntRange(1), help="Not more rows than this.")(command)
        command = click.option("--desc", is_flag=True, help="The greatest first.")(command)
        command = click.option(
            "--sort", type=click.Choice(sorts), default=sorts[0], show_default=True, help="What to sort by."
        )(command)
        return click.option(
            "--filter", default="", metavar="TEXT", help="Only rows whose names hold this text, in either case."
        )(command)  # type: ignore[return-value]  # it takes what `function` takes, but for `query` and `most`

    return decorate


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
