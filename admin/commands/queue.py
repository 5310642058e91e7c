"""`rmimom-admin queue`: queues as a whole; for the messages in them see `message.py`."""

from __future__ import annotations

from typing import Any

import click

from rmimom.admin.columns import DESTINATION
from rmimom.admin.destinations import SORTS, create_all, destination_text, path_of, remove_all
from rmimom.admin.options import list_options, output_options, reading, yes_option
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, confirm, count, pass_tool


@click.group()
def queue() -> None:
    """Look at queues, make them, empty them, pause them, delete them.

    \b
    Examples:
      rmimom-admin queue ls --sort pending --desc --limit 10
      rmimom-admin queue create orders
      rmimom-admin queue show orders
      rmimom-admin queue purge orders
    """


@queue.command("ls")
@list_options("name", *SORTS)
@reading
@pass_tool
def list_queues(tool: Tool, /, out: Output, query: dict[str, Any], most: int | None) -> None:
    """List the queues with their counters.

    \b
    Examples:
      rmimom-admin queue ls
      rmimom-admin queue ls --sort pending --desc --limit 10
      rmimom-admin queue ls --filter order -o csv
    """
    out.rows(tool.client.items("/queues", most=most, **query), DESTINATION, "there are no queues")


@queue.command("show")
@click.argument("name")
@reading
@pass_tool
def show_queue(tool: Tool, /, out: Output, name: str) -> None:
    """Show one queue, with its consumers.

    \b
    Example:
      rmimom-admin queue show orders
    """
    found = tool.client.get(path_of("queue", name))
    out.thing(found, lambda: destination_text(found))


@queue.command("create")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@output_options
@pass_tool
def create_queue(tool: Tool, /, out: Output, names: tuple[str, ...]) -> None:
    """Make queues; harmless for those that exist.

    \b
    Example:
      rmimom-admin queue create orders bills
    """
    create_all(tool, out, "queue", names)


@queue.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@yes_option
@output_options
@pass_tool
def remove_queue(tool: Tool, /, out: Output, names: tuple[str, ...], yes: bool) -> None:
    """Delete queues with all that waits there; refused while a queue has consumers.

    \b
    Example:
      rmimom-admin queue rm orders --yes
    """
    remove_all(tool, out, "queue", names, yes=yes)


@queue.command("purge")
@click.argument("name")
@yes_option
@output_options
@pass_tool
def purge_queue(tool: Tool, /, out: Output, name: str, yes: bool) -> None:
    """Remove every message of a queue that no consumer holds.

    \b
    Example:
      rmimom-admin queue purge orders --yes
    """
    path = path_of("queue", name)
    if not yes:
        found = tool.client.get(path)["statistics"]
        number = found["pending"] - found["held"]
        confirm(f"Remove {count(number, 'message')} from queue {name}?", yes=yes)
    done = tool.client.post(f"{path}/purge")
    out.done(done, f"removed {count(done['count'], 'message')} from queue {name}")


@queue.command("pause")
@click.argument("name")
@output_options
@pass_tool
def pause_queue(tool: Tool, /, out: Output, name: str) -> None:
    """Let a queue deliver nothing; it goes on taking messages, and stays paused over a restart.

    \b
    Example:
      rmimom-admin queue pause orders
    """
    done = tool.client.post(f"{path_of('queue', name)}/pause")
    out.done(done, f"queue {name} is paused" if done["changed"] else f"queue {name} is paused already")


@queue.command("resume")
@click.argument("name")
@output_options
@pass_tool
def resume_queue(tool: Tool, /, out: Output, name: str) -> None:
    """Let a paused queue deliver again.

    \b
    Example:
      rmimom-admin queue resume orders
    """
    done = tool.client.post(f"{path_of('queue', name)}/resume")
    out.done(done, f"queue {name} delivers again" if done["changed"] else f"queue {name} is not paused")
