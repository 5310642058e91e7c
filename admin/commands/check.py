"""`rmimom-admin check`: checks for monitoring, whose exit codes say how it is."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from rmimom.admin.checking import (
    REPORT_FORMS,
    Finding,
    Level,
    Limits,
    check_connection,
    check_dead_letters,
    check_queue,
    check_standby,
    check_store,
    report,
    worst,
)
from rmimom.admin.destinations import path_of
from rmimom.admin.failure import Failure
from rmimom.admin.tool import Tool, pass_tool

F = TypeVar("F", bound=Callable[..., Any])
Checks = Sequence[Finding]


@click.group()
def check() -> None:
    """Check the server for a monitoring system.

    \b
    Exit codes:
      0  all is well
      1  warning
      2  critical, which includes a server that does not answer

    \b
    Examples:
      rmimom-admin check connection
      rmimom-admin check queue orders --warning 1000 --critical 10000 --consumers 1
      rmimom-admin check all --format nagios
    """


def _checking(name: str, warning: float | None, critical: float | None, unit: str) -> Callable[[F], click.Command]:
    """A check with its limits: `--warning`, `--critical` and `--format`; what cannot be asked is critical."""

    def decorate(function: F) -> click.Command:
        @functools.wraps(function)
        def command(
            tool: Tool, /, *arguments: Any, warning: float | None, critical: float | None, form: Any, **options: Any
        ) -> None:
            if warning is not None and critical is not None and warning > critical:
                raise click.UsageError(f"--warning {warning:g} is beyond --critical {critical:g}")
            try:
                found: Checks = function(tool, *arguments, limits=Limits(warning, critical), **options)
            except Failure as failure:
                found = [_failed(name, failure)]
            click.echo(report(found, form))
            click.get_current_context().exit(int(worst(found)))

        wrapped = click.option(
            "--format", "form", type=click.Choice(REPORT_FORMS), default="text", show_default=True, help="For whom."
        )(command)
        wrapped = click.option(
            "--critical", type=float, default=critical, show_default=True, help=f"Critical from this on ({unit})."
        )(wrapped)
        wrapped = click.option(
            "--warning", type=float, default=warning, show_default=True, help=f"A warning from this on ({unit})."
        )(wrapped)
        return check.command(name)(pass_tool(wrapped))

    return decorate


def _failed(name: str, failure: Failure) -> Finding:
    """A server that is away is critical for every check; so is one that refuses."""
    return Finding(name, "server", Level.CRITICAL, failure.format_message())


@_checking("connection", 1.0, 5.0, "seconds until the answer")
def connection(tool: Tool, /, limits: Limits) -> Checks:
    """Check that the server answers and has its place in the cluster.

    \b
    Example:
      rmimom-admin --url http://broker.example:8161 --password-file ~/.rmimom-admin check connection
    """
    return [_connection(tool, limits)]


def _connection(tool: Tool, limits: Limits) -> Finding:
    begun = time.perf_counter()
    status = tool.client.get("/status")
    return check_connection(status, time.perf_counter() - begun, limits)


@_checking("queue", 1000, 10_000, "messages that wait")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--consumers", type=click.IntRange(0), default=0, show_default=True, help="Critical with fewer.")
def queue(tool: Tool, /, names: tuple[str, ...], limits: Limits, consumers: int) -> Checks:
    """Check how much waits in queues, and that they have consumers.

    \b
    Example:
      rmimom-admin check queue orders bills --warning 500 --critical 5000 --consumers 1
    """
    return [check_queue(_reading(tool, name), limits, consumers) for name in names]


def _reading(tool: Tool, name: str) -> Any:
    return tool.client.get(path_of("queue", name))["statistics"]


@_checking("standby", 1000, 10_000, "batches that a standby lacks")
@click.option("--wanted", type=click.IntRange(0), default=1, show_default=True, help="Critical with fewer in sync.")
def standby(tool: Tool, /, limits: Limits, wanted: int) -> Checks:
    """Check that standbys have everything, so that one can take over.

    \b
    Example:
      rmimom-admin check standby --wanted 2
    """
    return _standby(tool, limits, wanted)


def _standby(tool: Tool, limits: Limits, wanted: int) -> list[Finding]:
    return check_standby(tool.client.get("/cluster"), limits, wanted)


@_checking("dead-letters", 1, 1000, "dead letters that wait")
def dead_letters(tool: Tool, /, limits: Limits) -> Checks:
    """Check whether dead letters wait, in all queues for them together.

    \b
    Example:
      rmimom-admin check dead-letters --warning 1 --critical 100
    """
    return [_dead_letters(tool, limits)]


def _dead_letters(tool: Tool, limits: Limits) -> Finding:
    counts: dict[str, int] = {}
    warnings = tool.client.get("/warnings")["items"]
    for row in warnings:
        if row["code"] == "dead-letters":
            name = row["subject"].removeprefix("queue://")
            counts[name] = _reading(tool, name)["pending"]
    return check_dead_letters(warnings, counts, limits)


@_checking("store", 80, 95, "percent of the disk that are used")
def store(tool: Tool, /, limits: Limits) -> Checks:
    """Check the disk with the data, and that the server takes messages.

    \b
    Example:
      rmimom-admin check store --warning 70 --critical 90
    """
    return [_store(tool, limits)]


def _store(tool: Tool, limits: Limits) -> Finding:
    return check_store(tool.client.get("/resources"), tool.client.get("/status"), limits)


@check.command("all")
@click.option("--standbys", type=click.IntRange(0), default=0, show_default=True, help="Critical with fewer in sync.")
@click.option("--format", "form", type=click.Choice(REPORT_FORMS), default="text", show_default=True, help="For whom.")
@pass_tool
def check_all(tool: Tool, /, standbys: int, form: Any) -> None:
    """Check connection, dead letters, store, and standbys if some are wanted, with the limits of each by default.

    \b
    Example:
      rmimom-admin check all --standbys 1 --format prometheus
    """
    found: list[Finding] = []
    try:
        found.append(_connection(tool, Limits(1.0, 5.0)))
        found.append(_store(tool, Limits(80, 95)))
        found.append(_dead_letters(tool, Limits(1, 1000)))
        if standbys:
            found += _standby(tool, Limits(1000, 10_000), standbys)
    except Failure as failure:
        found.append(_failed("all", failure))
    click.echo(report(found, form))
    click.get_current_context().exit(int(worst(found)))
