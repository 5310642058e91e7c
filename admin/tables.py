"""What the administration tool shows to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE: Final = 10_000
# What clients chose as their names must not be able to speak to a terminal.
_CONTROL: Final = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}

DESTINATION: Final = {
    "name": "name",
    "pending": "waiting",
    "held": "with consumers",
    "consumers": "consumers",
    "enqueued": "sent",
    "dequeued": "done",
    "expired": "expired",
    "moved": "moved",
}
DEAD_LETTER: Final = {
    "id": "id",
    "original_destination": "sent to",
    "failures": "failures",
    "dead_since": "dead since (UTC)",
    "reason": "reason",
}
SCHEDULED: Final = {
    "id": "id",
    "destination": "goes to",
    "next": "next time (UTC)",
    "sent": "sent",
    "when": "when",
}
TOPIC: Final = {**DESTINATION, "subscriptions": "subscriptions"}
SUBSCRIPTION: Final = {
    "client_id": "client",
    "name": "name",
    "topic": "topic",
    "active": "active",
    "pending": "waiting",
    "held": "with consumer",
    "dequeued": "done",
}
CLUSTER: Final = {
    "server_id": "server",
    "address": "address",
    "role": "role",
    "in_sync": "in sync",
    "state": "state",
}
USER: Final = {"name": "name", "administrator": "administrator"}


def show_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], nothing: str) -> None:
    """A table with a row for each of `rows`; `columns` are titles by key.  `nothing` is said if there are none."""
    if not rows:
        click.echo(nothing)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, title in columns.items():
        number = _is_number(rows[0].get(key))
        table.add_column(title, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(key))) for key in columns))
    console = Console(highlight=False)
    if not console.is_terminal:
        # Into a pipe or a file every row is one line, however long.
        console = Console(highlight=False, width=_WIDE)
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def dead_letter_rows(letters: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Dead letters with their time as people read it."""
    return [
        {**letter, "id": str(letter["id"]), "dead_since": f"{_time(letter['dead_at']):%Y-%m-%d %H:%M:%S}"}
        for letter in letters
    ]


def scheduled_rows(scheduled: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Scheduled messages with their times as people read them."""
    return [
        {
            **one,
            "id": str(one["id"]),
            "next": f"{_time(one['next_time']):%Y-%m-%d %H:%M:%S}" if one["next_time"] else "now",
            "when": ", ".join(f"{name} {one[name]}" for name in ("cron", "delay", "period", "repeat") if one[name]),
        }
        for one in scheduled
    ]


def cluster_rows(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The servers of a cluster, with how each standby gets on as far as the one asked knows it."""
    return [{**server, "state": _progress(server)} for server in status["servers"]]


def _progress(server: Mapping[str, Any]) -> str:
    if server["phase"] == "copying" and server["to_copy"]:
        return f"copying, {server['copied']:,} of {server['to_copy']:,} bytes"
    if server["phase"] is None:
        return ""
    return f"{server['phase']}, {server['behind']:,} batches behind" if server["behind"] else str(server["phase"])


def cluster_text(status: Mapping[str, Any]) -> str:
    """How a server sees its cluster, in a few lines; the servers are a table of their own."""
    number = status["configuration"]
    position = status["position"]
    rows = {
        "cluster": f"{status['cluster']}, configuration {number:,}: {status['why']}" if number else status["cluster"],
        "asked": f"{status['server_id']}, {status['phase']}, log up to batch {position['sequence']:,}",
    }
    if status["forced"]:
        rows["forced"] = "an operator forced this configuration"
    if status["suspected"]:
        rows["suspected"] = status["suspected"]
    if status["refusal"]:
        rows["TROUBLE"] = status["refusal"]
    return "\n".join(f"{title:<12} {_cell(text)}" for title, text in rows.items())


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value if value is not None else "").translate(_CONTROL)


def status_text(status: Mapping[str, Any]) -> str:
    """The server as a whole, in a few lines."""
    started = _time(status["started"])
    registration = status["registration"]
    if registration is None:
        names = "none"
    elif registration["complete"]:
        names = f"{registration['nameserver']}, {registration['wanted']:,} names registered"
    else:
        names = f"{registration['nameserver']}, not complete: {registration['trouble'] or 'under way'}"
    store = status["store"]
    rows = {
        "server": f"rmimom {status['version']}, {status['role']} in epoch {status['epoch']} of {status['cluster']}",
        "address": f"{status['address']}, process {status['pid']}",
        "up": f"{timedelta(seconds=round(status['uptime']))} since {started:%Y-%m-%d %H:%M:%S} UTC",
        "name server": names,
        "data": f"{status['data']}, {store['bytes_used']:,} bytes, {store['messages']:,} messages",
        "clients": f"{status['connections']:,} connections, {status['consumers']:,} consumers",
        "places": f"{status['queues']:,} queues, {status['topics']:,} topics, {status['pending']:,} messages wait",
        "since start": f"{status['messages_in']:,} messages in, {status['messages_out']:,} out",
    }
    if status["engine"]["full"]:
        rows["TROUBLE"] = "the disk is full: sends are refused until there is room"
    return "\n".join(f"{title:<12} {text}" for title, text in rows.items())
