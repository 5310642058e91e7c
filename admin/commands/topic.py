"""`rmimom-admin topic`: topics as a whole."""

from __future__ import annotations

from typing import Any

import click

from rmimom.admin.columns import TOPIC
from rmimom.admin.destinations import SORTS, create_all, destination_text, path_of, remove_all
from rmimom.admin.options import list_options, output_options, reading, yes_option
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, pass_tool


@click.group()
def topic() -> None:
    """Look at topics, make them, delete them.

    A topic keeps nothing itself: its messages wait in its subscriptions, see `rmimom-admin sub`.

    \b
    Examples:
      rmimom-admin topic ls
      rmimom-admin topic create quakes
    """


@topic.command("ls")
@list_options("name", "subscriptions", *SORTS)
@reading
@pass_tool
def list_topics(tool: Tool, /, out: Output, query: dict[str, Any], most: int | None) -> None:
    """List the topics with their counters.

    \b
    Example:
      rmimom-admin topic ls --sort enqueued --desc
    """
    out.rows(tool.client.items("/topics", most=most, **query), TOPIC, "there are no topics")


@topic.command("show")
@click.argument("name")
@reading
@pass_tool
def show_topic(tool: Tool, /, out: Output, name: str) -> None:
    """Show one topic, with the consumers of its subscriptions.

    \b
    Example:
      rmimom-admin topic show quakes
    """
    found = tool.client.get(path_of("topic", name))
    out.thing(found, lambda: destination_text(found))


@topic.command("create")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@output_options
@pass_tool
def create_topic(tool: Tool, /, out: Output, names: tuple[str, ...]) -> None:
    """Make topics; harmless for those that exist.

    \b
    Example:
      rmimom-admin topic create quakes
    """
    create_all(tool, out, "topic", names)


@topic.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@yes_option
@output_options
@pass_tool
def remove_topic(tool: Tool, /, out: Output, names: tuple[str, ...], yes: bool) -> None:
    """Delete topics with their durable subscriptions; refused while a topic has consumers.

    \b
    Example:
      rmimom-admin topic rm quakes --yes
    """
    remove_all(tool, out, "topic", names, yes=yes)
