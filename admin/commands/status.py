"""`rmimom-admin status` and `warnings`: the server as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from rmimom.admin.columns import REMARK, cell
from rmimom.admin.options import reading
from rmimom.admin.output import Output, facts
from rmimom.admin.tool import Tool, count, pass_tool


@click.command()
@reading
@pass_tool
def status(tool: Tool, /, out: Output) -> None:
    """Show the server as a whole.

    \b
    Examples:
      rmimom-admin status
      rmimom-admin status --json
      rmimom-admin status --watch 5
    """
    found = tool.client.get("/status")
    out.thing(found, lambda: status_text(found, tool.client.url))


def status_text(found: Mapping[str, Any], url: str) -> str:
    """The server in a few lines."""
    more, counts = found["facts"], found["counts"]
    rows: list[tuple[str, object]] = [
        ("server", f"rmimom {found['version']}, {_role(found)}"),
        ("address", f"{found['address']}, {url}, process {found['pid']}"),
        ("up", f"{cell(found['uptime'], 'seconds')} since {cell(found['started'], 'time')} UTC"),
        ("name server", _names(found, more.get("registration"))),
        ("data", f"{found['data']}, {found['store_kind']}"),
    ]
    if counts is not None:
        waiting = f"{count(counts['pending'], 'message')} pending"
        rows += [
            ("clients", f"{count(counts['connections'], 'connection')}, {count(counts['consumers'], 'consumer')}"),
            ("places", f"{count(counts['queues'], 'queue')}, {count(counts['topics'], 'topic')}, {waiting}"),
            ("since start", f"{count(counts['messages_in'], 'message')} in, {counts['messages_out']:,} out"),
        ]
    if found["engine"] is not None and found["engine"]["full"]:
        rows.append(("TROUBLE", "the disk is full: sends are refused until there is room"))
    if found["warnings"]:
        rows.append(("warnings", f"{found['warnings']}; see: rmimom-admin warnings"))
    return facts(rows)


def _role(found: Mapping[str, Any]) -> str:
    if found["role"] == "active":
        return f"active in epoch {found['epoch']} of {found['cluster']}"
    return f"{found['role']} in {found['cluster']}; the active one is {found['active'] or 'not known'}"


def _names(found: Mapping[str, Any], registration: Mapping[str, Any] | None) -> str:
    if found["nameserver"] is None:
        return "none"
    if registration is None:
        return str(found["nameserver"])
    if registration["complete"]:
        return f"{registration['nameserver']}, {count(registration['wanted'], 'name')} registered"
    return f"{registration['nameserver']}, not complete: {registration['trouble'] or 'under way'}"


@click.command()
@reading
@pass_tool
def warnings(tool: Tool, /, out: Output) -> None:
    """List what somebody should look at, and what to do about it.

    \b
    Example:
      rmimom-admin warnings
    """
    out.rows(tool.client.get("/warnings")["items"], REMARK, "nothing needs to be looked at")
