"""`rmimom-admin cluster`: who is active, who is in sync, and how that is changed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from rmimom.admin.columns import SERVER
from rmimom.admin.options import output_options, reading, yes_option
from rmimom.admin.output import Output, facts, table
from rmimom.admin.tool import Tool, confirm, pass_tool


@click.group()
def cluster() -> None:
    """Active and standby: who serves, who is in sync, and changing that by hand.

    A standby in sync takes over by itself when the active is gone.  On a standby's machine name its data directory with
    --data; it answers also when no other server does.

    \b
    Examples:
      rmimom-admin cluster status
      rmimom-admin --url http://one:8161 --url http://two:8161 cluster status --watch
      rmimom-admin cluster switchover
      rmimom-admin --data /var/lib/rmimom-standby cluster promote --force
    """


@cluster.command()
@reading
@pass_tool
def status(tool: Tool, /, out: Output) -> None:
    """Show the cluster as one server sees it: how far each standby is, only the active knows.

    \b
    Examples:
      rmimom-admin cluster status
      rmimom-admin cluster status --json
      rmimom-admin cluster status --watch 1
    """
    found = tool.client.get("/cluster")
    out.thing(found, lambda: _text(found))


def _text(found: Mapping[str, Any]) -> str:
    status = found["status"]
    if status is None:
        return facts([("cluster", "none: this server has no name server, and so it is alone"), ("role", found["role"])])
    number, position = status["configuration"], status["position"]
    told = f", configuration {number:,}: {status['why']}" if number else ""
    text = facts(
        [
            ("cluster", status["cluster"] + told),
            ("asked", f"{status['server_id']}, {status['phase']}, log up to batch {position['sequence']:,}"),
            ("active", found["active"] or "not known"),
            ("forced", "an operator forced this configuration" if status["forced"] else ""),
            ("suspected", status["suspected"]),
            ("TROUBLE", status["refusal"]),
        ]
    )
    return f"{text}\n\n{table(status['servers'], SERVER)}" if status["servers"] else text


@cluster.command()
@click.option("--to", metavar="ID|HOST:PORT", help="This standby; without it, the first one in sync.")
@output_options
@pass_tool
def switchover(tool: Tool, /, out: Output, to: str | None) -> None:
    """Let a standby in sync become active; the active one becomes a standby.

    \b
    Example:
      rmimom-admin cluster switchover --to standby.example:61611
    """
    found = tool.client.post("/cluster/switchover", {"to": to})
    out.done(found, _who_is_active(found["status"]))


@cluster.command()
@click.option("--force", is_flag=True, help="Required: it says that you know what may be lost.")
@yes_option
@output_options
@pass_tool
def promote(tool: Tool, /, out: Output, force: bool, yes: bool) -> None:
    """Make the server that the options name active, whatever it lacks.

    For a standby that was not in sync when the active was lost for good, or a cluster that lost members and the memory
    of its name server.  What was confirmed and is not on this server's disk is lost.  A standby in sync needs no help.

    \b
    Example:
      rmimom-admin --data /var/lib/rmimom-standby cluster promote --force
    """
    if not force:
        raise click.UsageError("a standby in sync takes over by itself; to promote one that lacks messages add --force")
    confirm("Make this server active? Messages that it lacks are lost, and the active one is deposed.", yes=yes)
    found = tool.client.post("/cluster/promote", {"force": True})
    out.done(found, _who_is_active(found["status"]))


def _who_is_active(found: Mapping[str, Any]) -> str:
    active = next((server for server in found["servers"] if server["role"] == "active"), None)
    if active is None:
        return "no server is known to be active"
    return f"server {active['server_id']} at {active['address']} is active, in configuration {found['configuration']:,}"
