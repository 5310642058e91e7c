"""`rmimom-admin trace`: a message's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from rmimom.admin.client import segment
from rmimom.admin.columns import EVENT, WHEREABOUTS, cell
from rmimom.admin.destinations import full_name
from rmimom.admin.failure import REFUSED, Failure
from rmimom.admin.options import reading
from rmimom.admin.output import Output, facts, table
from rmimom.admin.tool import Tool, count, pass_tool


@click.command()
@click.argument("message_id", metavar="MESSAGE-ID")
@click.option("--in", "destination", metavar="DESTINATION", help="Look in this queue or topic alone.")
@reading
@pass_tool
def trace(tool: Tool, /, out: Output, message_id: str, destination: str | None) -> None:
    """Tell a message's life, by its JMSMessageID or its number: where it is, and what happened before.

    What happened is told of persistent messages, as far back as the active server remembers.  Exit code 1 if nothing is
    known of it.

    \b
    Examples:
      rmimom-admin trace ID:app-1f3a-17
      rmimom-admin trace 4711 --in orders
    """
    where = full_name(destination) if destination is not None else ""
    found = tool.client.get(f"/messages/{segment(message_id, 'the id of the message')}/trace", destination=where)
    if not found["places"] and not found["events"]:
        rest = "" if found["complete"] else f" among the first {found['examined']:,} that wait; say where, with --in"
        raise Failure(f"nothing is known of message {message_id}{rest}", REFUSED, "invalid-destination")
    out.thing(found, lambda: _text(found, where))


def _text(found: Mapping[str, Any], where: str) -> str:
    parts: list[str] = []
    message = found["message"]
    if message is not None:
        dead = message["dead_letter"] or {}
        parts.append(
            facts(
                [
                    ("message", f"{message['message_id']}, number {message['id']}"),
                    ("sent", f"{cell(message['timestamp'], 'time')} UTC to {message['destination']}"),
                    ("kind", f"{message['kind']}, {count(message['size'], 'byte')}, priority {message['priority']}"),
                    ("dead letter from", dead.get("original_destination")),
                    ("reason", dead.get("reason")),
                    ("dead since", cell(dead.get("dead_at"), "time")),
                    ("moved", cell(message["moved_at"], "time")),
                    ("retried", cell(message["retried_at"], "time")),
                    ("expires", cell(message["expiration"], "time")),
                    ("delivery time", cell(message["delivery_time"], "time")),
                ]
            )
        )
    if found["places"]:
        parts.append("it is\n" + table(found["places"], WHEREABOUTS))
    else:
        parts.append(f"it is not in {where}" if where else f"number {found['id']}: it is nowhere any more")
    if found["events"]:
        rows = [{**event, "to": ", ".join(event["to"])} for event in found["events"]]
        parts.append("what happened\n" + table(rows, EVENT))
    return "\n\n".join(parts)
