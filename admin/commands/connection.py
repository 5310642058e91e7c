"""`rmimom-admin conn`: the connections of clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from rmimom.admin.client import segment
from rmimom.admin.columns import CONNECTION, CONSUMER, cell
from rmimom.admin.options import list_options, output_options, reading, yes_option
from rmimom.admin.output import Output, facts, table
from rmimom.admin.tool import Tool, confirm, count, pass_tool


@click.group()
def conn() -> None:
    """Look at the connections of clients, and close them.

    \b
    Examples:
      rmimom-admin conn ls --filter stomp
      rmimom-admin conn rm 0123456789abcdef
    """


@conn.command("ls")
@list_options("since", "user", "client_id", "protocol", "address", "consumers", "held")
@reading
@pass_tool
def list_connections(tool: Tool, /, out: Output, query: dict[str, Any], most: int | None) -> None:
    """List the connections; the filter looks at user, client id, address and protocol.

    \b
    Example:
      rmimom-admin conn ls --sort held --desc
    """
    out.rows(tool.client.items("/connections", most=most, **query), CONNECTION, "there are no connections")


@conn.command("show")
@click.argument("id")
@reading
@pass_tool
def show_connection(tool: Tool, /, out: Output, id: str) -> None:
    """Show one connection with its consumers.

    \b
    Example:
      rmimom-admin conn show 0123456789abcdef
    """
    found = tool.client.get(_path(id))
    out.thing(found, lambda: _text(found))


def _path(id: str) -> str:
    return f"/connections/{segment(id, 'the id of the connection')}"


def _text(found: Mapping[str, Any]) -> str:
    one = found["connection"]
    text = facts(
        [
            ("connection", one["id"]),
            ("user", one["user"]),
            ("client id", one["client_id"]),
            ("from", f"{one['protocol']} {one['address']}".rstrip()),
            ("since", f"{cell(one['since'], 'time')} UTC"),
            ("held", one["held"]),
            ("temporaries", ", ".join(found["temporaries"])),
        ]
    )
    return f"{text}\n\n{table(found['consumers'], CONSUMER)}" if found["consumers"] else text


@conn.command("rm")
@click.argument("id")
@yes_option
@output_options
@pass_tool
def close_connection(tool: Tool, /, out: Output, id: str, yes: bool) -> None:
    """Close a connection: what its consumers hold goes back to its place.  A client may connect again at once.

    \b
    Example:
      rmimom-admin conn rm 0123456789abcdef --yes
    """
    if not yes:
        one = tool.client.get(_path(id))["connection"]
        held = count(one["held"], "message")
        confirm(f"Close the connection of {one['user'] or 'nobody'}, which holds {held}?", yes=yes)
    tool.client.delete(_path(id))
    out.done({"id": id, "closed": True}, f"closed connection {id}")
