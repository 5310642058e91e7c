"""`rmimom-admin export`: definitions and messages into files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import click

from rmimom.admin.destinations import path_of
from rmimom.admin.failure import AWAY, REFUSED, Failure
from rmimom.admin.output import as_json
from rmimom.admin.progress import progress
from rmimom.admin.tool import Tool, count, pass_tool
from rmimom.admin.transfer import definitions_file, message_line, messages_header

MOST_BODY: Final = 16 * 1024 * 1024
"""Bytes of body that the interface shows of one message."""

_FORCE = click.option("--force", is_flag=True, help="Write over the file if it exists.")


@click.group("export")
def export() -> None:
    """Write definitions or messages into a file; nothing is changed on the server.

    \b
    Examples:
      rmimom-admin export definitions broker.json
      rmimom-admin export messages orders orders.jsonl
    """


@export.command()
@click.argument("file", default="-", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_FORCE
@pass_tool
def definitions(tool: Tool, /, file: Path, force: bool) -> None:
    """Export queues, topics, durable subscriptions and users (without passwords) as JSON.

    \b
    Example:
      rmimom-admin export definitions broker.json
    """
    client = tool.client
    found = {name: list(client.items(f"/{name}")) for name in ("queues", "topics", "subscriptions")}
    try:
        found["users"] = list(client.items("/users"))
    except Failure as failure:
        if failure.exit_code != REFUSED:
            raise
        click.echo(f"without users: {failure.format_message()}", err=True)
        found["users"] = []
    made = definitions_file(found)
    with _writing(file, force=force) as target:
        target.write(as_json(made, indent=2) + "\n")
    told = ", ".join(count(len(made[f"{kind}s"]), kind) for kind in ("queue", "topic", "subscription", "user"))
    click.echo(f"exported {told}", err=True)


@export.command()
@click.argument("queue")
@click.argument("file", default="-", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--selector", default="", metavar="SELECTOR", help="Only messages that this message selector chooses.")
@click.option("--limit", type=click.IntRange(1), help="Not more messages than this.")
@_FORCE
@pass_tool
def messages(tool: Tool, /, queue: str, file: Path, selector: str, limit: int | None, force: bool) -> None:
    """Export the messages of a queue as JSON lines, waiting and delayed ones; nothing is consumed.

    Messages that a consumer holds at the moment are left out, and counted.

    \b
    Examples:
      rmimom-admin export messages orders orders.jsonl
      rmimom-admin export messages DLQ.orders --selector "colour = 'red'" > red.jsonl
    """
    client, path = tool.client, path_of("queue", queue)
    before = client.get(path)["statistics"]
    done = gone = 0
    total = before["pending"] - before["held"]
    with (
        _writing(file, force=force) as target,
        progress(f"exporting {queue}", min(total, limit) if limit is not None else total) as step,
    ):
        target.write(as_json(messages_header(queue)) + "\n")
        for number in _numbers(tool, queue, selector):
            if done == limit:
                break
            detail = _detail(tool, f"{path}/messages/{number}")
            if detail is None:
                gone += 1
                continue
            target.write(as_json(message_line(detail)) + "\n")
            done += 1
            step()
    told = [f"exported {count(done, 'message')} of {queue}"]
    if gone:
        told.append(f"{count(gone, 'message')} went meanwhile")
    if before["held"]:
        told.append(f"{count(before['held'], 'message')} with consumers left out")
    click.echo("; ".join(told), err=True)


def _numbers(tool: Tool, queue: str, selector: str) -> Iterator[int]:
    """The numbers of the messages: those that wait, in their order, then those whose time has not come."""
    for row in tool.client.messages(f"{path_of('queue', queue)}/messages", selector=selector):
        yield row["id"]
    if selector:
        return  # the list of what is delayed knows no selector
    for row in tool.client.items("/delayed", filter=queue):
        if row["destination"] == f"queue://{queue}":
            yield row["id"]


def _detail(tool: Tool, path: str) -> dict[str, Any] | None:
    """A message with its whole body, None if it is gone."""
    try:
        found = tool.client.get(path, bytes=MOST_BODY)
        if found["message"]["kind"] == "bytes":
            found = tool.client.get(path, bytes=MOST_BODY, body="base64")
    except Failure as failure:
        if failure.exit_code == REFUSED and failure.code == "invalid-destination":
            return None
        raise
    return dict(found)


@contextmanager
def _writing(file: Path, *, force: bool) -> Iterator[IO[str]]:
    """The file, which is there whole or not at all; - is the standard output."""
    if str(file) == "-":
        yield sys.stdout
        return
    if file.exists() and not force:
        raise Failure(f"{file} exists; add --force to write over it", AWAY)
    draft = file.with_name(file.name + ".part")
    try:
        with draft.open("w", encoding="utf-8") as target:
            draft.chmod(0o600)  # what was said in messages is not for everybody on this machine
            yield target
        draft.replace(file)
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror or error}", AWAY) from error
    finally:
        draft.unlink(missing_ok=True)
