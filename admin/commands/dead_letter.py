"""`rmimom-admin dlq`: dead letters, and sending them back."""

from __future__ import annotations

from typing import Any

import click

from rmimom.admin.client import segment
from rmimom.admin.columns import DEAD_LETTER, DEAD_LETTER_QUEUE
from rmimom.admin.commands.message import message_text
from rmimom.admin.destinations import path_of
from rmimom.admin.options import output_options, reading
from rmimom.admin.output import Output
from rmimom.admin.selecting import carry_out, selection_options
from rmimom.admin.tool import Tool, pass_tool


@click.group()
def dlq() -> None:
    """Dead letters: messages that consumers failed on too often, and expired ones if they are kept.

    Those of the queue or topic NAME wait in the queue DLQ.NAME, if the server has no other settings.

    \b
    Examples:
      rmimom-admin dlq ls
      rmimom-admin dlq ls DLQ.orders
      rmimom-admin dlq retry DLQ.orders --all
    """


@dlq.command("ls")
@click.argument("queue", required=False)
@click.option("--limit", type=click.IntRange(1), help="Not more than this.")
@reading
@pass_tool
def list_dead_letters(tool: Tool, /, out: Output, queue: str | None, limit: int | None) -> None:
    """List the queues of dead letters; or the dead letters of one, with where they came from and why.

    \b
    Examples:
      rmimom-admin dlq ls
      rmimom-admin dlq ls DLQ.orders --json
    """
    if queue is None:
        out.rows(tool.client.get("/dead-letters")["items"][:limit], DEAD_LETTER_QUEUE, "there are no dead letters")
        return
    found = tool.client.messages(f"{path_of('queue', queue)}/messages", most=limit)
    letters = (message for message in found if message["dead_letter"] is not None)
    out.rows(letters, DEAD_LETTER, f"no dead letters in {queue}")


@dlq.command("show")
@click.argument("queue")
@click.argument("id")
@reading
@pass_tool
def show_dead_letter(tool: Tool, /, out: Output, queue: str, id: str) -> None:
    """Show one dead letter with its cause, headers, properties and body.

    \b
    Example:
      rmimom-admin dlq show DLQ.orders 17
    """
    found = tool.client.get(f"{path_of('queue', queue)}/messages/{segment(id, 'the id of the message')}")
    out.thing(found, lambda: message_text(found))


@dlq.command("retry")
@click.argument("queue")
@selection_options
@output_options
@pass_tool
def retry_dead_letters(tool: Tool, /, out: Output, queue: str, **selection: Any) -> None:
    """Send dead letters back to where they came from.

    Those that a consumer holds stay, and those whose subscription does not exist any more.

    \b
    Examples:
      rmimom-admin dlq retry DLQ.orders --all
      rmimom-admin dlq retry DLQ.orders --selector "JMS_rmimom_dead_reason LIKE 'no such%'"
    """
    carry_out(tool, out, queue, "retry", selection, f"from {queue}")
