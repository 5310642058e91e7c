"""`rmimom-admin sched`: messages that wait for their time."""

from __future__ import annotations

from typing import Any

import click

from rmimom.admin.columns import DELAYED, SCHEDULED
from rmimom.admin.destinations import full_name
from rmimom.admin.failure import REFUSED, Failure
from rmimom.admin.options import list_options, output_options, reading, yes_option
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, confirm, count, pass_tool

_ids_option = click.option("--id", "ids", type=int, multiple=True, metavar="N", help="This one; may be repeated.")
_delayed_option = click.option(
    "--delayed",
    metavar="DESTINATION",
    help="Those of this queue or topic that wait for their delivery time, instead of scheduled ones.",
)


@click.group()
def sched() -> None:
    """Messages that wait for their time.

    Scheduled messages are sent at a time, once or again and again (AMQ_SCHEDULED_...).  Delayed ones were sent and are
    not delivered before a time, because their sender said so or because a consumer failed on them.

    \b
    Examples:
      rmimom-admin sched ls
      rmimom-admin sched ls --delayed
      rmimom-admin sched now --id 17
      rmimom-admin sched rm --delayed orders --id 18
    """


@sched.command("ls")
@click.option("--delayed", is_flag=True, help="Delayed messages instead, those due first first.")
@list_options("next_time", "destination", "sent", "id", "size")
@reading
@pass_tool
def list_scheduled(tool: Tool, /, out: Output, query: dict[str, Any], most: int | None, delayed: bool) -> None:
    """List the scheduled messages, what is due next first; the filter looks at the destination.

    \b
    Examples:
      rmimom-admin sched ls --filter reports
      rmimom-admin sched ls --delayed
    """
    if delayed:
        found = tool.client.items("/delayed", most=most, filter=query["filter"])
        out.rows(found, DELAYED, "nothing is delayed")
        return
    out.rows(tool.client.items("/scheduled", most=most, **query), SCHEDULED, "nothing is scheduled")


@sched.command("rm")
@_ids_option
@_delayed_option
@click.option("--all", "everything", is_flag=True, help="All of them.")
@yes_option
@output_options
@pass_tool
def remove_scheduled(
    tool: Tool, /, out: Output, ids: tuple[int, ...], delayed: str | None, everything: bool, yes: bool
) -> None:
    """Forget scheduled messages, or remove delayed ones for good.

    \b
    Examples:
      rmimom-admin sched rm --id 17
      rmimom-admin sched rm --all --yes
      rmimom-admin sched rm --delayed orders --id 18
    """
    chosen = _chosen(tool, ids, delayed, everything=everything)
    if everything:
        confirm(f"Remove {count(len(chosen), 'message')}?", yes=yes)
    _order(tool, out, "/delayed/remove" if delayed else "/scheduled/cancel", chosen, delayed, "removed")


@sched.command("now")
@_ids_option
@_delayed_option
@click.option("--all", "everything", is_flag=True, help="All of them.")
@output_options
@pass_tool
def deliver_scheduled(tool: Tool, /, out: Output, ids: tuple[int, ...], delayed: str | None, everything: bool) -> None:
    """Send scheduled messages now, which counts as once, or deliver delayed ones.

    \b
    Examples:
      rmimom-admin sched now --id 17
      rmimom-admin sched now --delayed orders --all
    """
    chosen = _chosen(tool, ids, delayed, everything=everything)
    path = "/delayed/deliver" if delayed else "/scheduled/deliver"
    _order(tool, out, path, chosen, delayed, "delivered" if delayed else "sent")


def _chosen(tool: Tool, ids: tuple[int, ...], delayed: str | None, *, everything: bool) -> list[int]:
    if everything == bool(ids):
        raise click.UsageError("say which: --id N, or --all")
    if ids:
        return list(dict.fromkeys(ids))
    if delayed is None:
        return [row["id"] for row in tool.client.items("/scheduled")]
    name = full_name(delayed)
    return [row["id"] for row in tool.client.items("/delayed", filter=name) if row["destination"] == name]


def _order(tool: Tool, out: Output, path: str, ids: list[int], delayed: str | None, word: str) -> None:
    done = 0
    for start in range(0, len(ids), 10_000):
        asked: dict[str, Any] = {"ids": ids[start : start + 10_000]}
        if delayed is not None:
            asked["destination"] = full_name(delayed)
        done += tool.client.post(path, asked)["count"]
    out.done({"count": done}, f"{word} {count(done, 'message')}")
    if done < len(ids):
        raise Failure(f"{count(len(ids) - done, 'message')} not there (any more)", REFUSED)
