"""The messages of a queue: `receive`, `browse`, `show-message`, `tail`, `move`, `copy` and `rm-message`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from rmimom.admin.client import segment
from rmimom.admin.columns import MESSAGE, cell
from rmimom.admin.destinations import full_name, path_of, read_destination
from rmimom.admin.failure import AWAY, REFUSED, Failure, harmless
from rmimom.admin.options import output_options, reading, yes_option
from rmimom.admin.output import Output, as_json, facts
from rmimom.admin.selecting import carry_out, selection_options
from rmimom.admin.tool import Tool, count, pass_tool

F = TypeVar("F", bound=Callable[..., Any])

_selector_option = click.option("--selector", default="", help="Only messages that this message selector takes.")
_text_option = click.option("--text", default="", help="Only messages whose body holds this text, in either case.")


@click.command()
@click.argument("queue")
@_selector_option
@_text_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Not more than this.")
@click.option("--all", "everything", is_flag=True, help="Without a limit.")
@reading
@pass_tool
def browse(tool: Tool, /, out: Output, queue: str, selector: str, text: str, limit: int, everything: bool) -> None:
    """List what waits in a queue, in the order of delivery; nothing is consumed.

    \b
    Examples:
      rmimom-admin browse orders
      rmimom-admin browse orders --selector "colour = 'red' AND size > 3"
      rmimom-admin browse orders --text apples --all -o jsonl
    """
    path = f"{path_of('queue', queue)}/messages"
    found = tool.client.messages(path, most=None if everything else limit, selector=selector, text=text)
    out.rows(found, MESSAGE, f"no such messages wait in {queue}" if selector or text else f"nothing waits in {queue}")


@click.command("show-message")
@click.argument("queue")
@click.argument("id")
@click.option(
    "--body",
    type=click.Choice(["auto", "text", "json", "hex", "base64"]),
    default="auto",
    show_default=True,
    help="How to show the body.",
)
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the body as it is to this file.")
@reading
@pass_tool
def show_message(tool: Tool, /, out: Output, queue: str, id: str, body: str, save: Path | None) -> None:
    """Show one message with headers, properties and body, wherever it is in the queue.

    \b
    Examples:
      rmimom-admin show-message orders 17
      rmimom-admin show-message orders 17 --save body.bin
    """
    path = f"{path_of('queue', queue)}/messages/{segment(id, 'the id of the message')}"
    found = tool.client.get(path, body=body)
    if save is not None:
        data = tool.client.download(f"{path}/body")
        try:
            save.write_bytes(data)
        except OSError as error:
            raise Failure(f"cannot write {save}: {error.strerror}", AWAY) from error
        out.done({"file": str(save), "bytes": len(data)}, f"wrote {count(len(data), 'byte')} to {save}")
        return
    out.thing(found, lambda: message_text(found))


def message_text(found: Mapping[str, Any]) -> str:
    """A message for people."""
    message, body = found["message"], found["body"]
    dead = message["dead_letter"] or {}
    head = facts(
        [
            ("id", str(message["id"])),
            ("message id", message["message_id"]),
            ("destination", message["destination"]),
            ("state", found["state"]),
            ("sent", f"{cell(message['timestamp'], 'time')} UTC"),
            ("kind", message["kind"] + ("" if message["persistent"] else ", not persistent")),
            ("priority", str(message["priority"])),
            ("deliveries", message["deliveries"]),
            ("expires", cell(message["expiration"], "time")),
            ("delivery time", cell(message["delivery_time"], "time")),
            *((key.replace("_", " "), message[key]) for key in ("correlation_id", "reply_to", "type")),
            ("moved", cell(message["moved_at"], "time")),
            ("retried", cell(message["retried_at"], "time")),
            ("dead letter from", dead.get("original_destination")),
            ("reason", dead.get("reason")),
            ("failures", dead.get("failures")),
            ("dead since", cell(dead.get("dead_at"), "time")),
            *((f"property {name}", as_json(value)) for name, value in message["properties"].items()),
        ]
    )
    return f"{head}\n\n{body_text(body)}" if body["size"] else head


def body_text(body: Mapping[str, Any]) -> str:
    """A body for people: text as it is but for what a terminal would obey, bytes as hex."""
    cut = f"\n... {count(body['size'], 'byte')} in all" if body.get("truncated") else ""
    form = body["form"]
    if form == "json":
        return as_json(body["json"], indent=2)
    if form == "hex":
        return _hex_lines(body["hex"]) + cut
    return "\n".join(harmless(line) for line in str(body.get(form) or "").split("\n")) + cut


def _hex_lines(text: str) -> str:
    rows = []
    for start in range(0, len(text), 32):
        part = text[start : start + 32]
        pairs = " ".join(part[at : at + 2] for at in range(0, len(part), 2))
        shown = "".join(chr(code) if 32 <= code < 127 else "." for code in bytes.fromhex(part))
        rows.append(f"{start // 2:08x}  {pairs:<47}  {shown}")
    return "\n".join(rows)


@click.command()
@click.argument("queue")
@click.option("--limit", type=click.IntRange(1, 1000), default=1, show_default=True, help="Not more than this.")
@_selector_option
@click.option("--raw", is_flag=True, help="Write the bodies alone, each followed by a line feed.")
@output_options
@pass_tool
def receive(tool: Tool, /, out: Output, queue: str, limit: int, selector: str, raw: bool) -> None:
    """Receive messages: they are removed from the queue, and shown.  Exit code 1 if there are none.

    A message whose answer is lost on the way is gone: this is for people and scripts, programs are clients.

    \b
    Examples:
      rmimom-admin receive orders
      rmimom-admin receive orders --limit 100 -o jsonl
      rmimom-admin receive orders --raw > body
    """
    found = tool.client.post(f"{path_of('queue', queue)}/receive", {"limit": limit, "selector": selector})["items"]
    if raw:
        for item in found:
            _write_raw(item["body"])
    elif out.form == "table":
        for number, item in enumerate(found):
            click.echo(("\n" if number else "") + message_text(item))
    else:
        out.rows(found, (), "")
    if not found:
        raise Failure(f"nothing waits in {queue}" + (" that the selector takes" if selector else ""), REFUSED)


def _write_raw(body: Mapping[str, Any]) -> None:
    """The body alone; at a terminal as people can read it, for it is out of the queue already."""
    if sys.stdout.isatty():
        click.echo(body_text(body))
        return
    form = body["form"]
    if form == "hex":
        data = bytes.fromhex(body["hex"])
    elif form == "json":
        data = json.dumps(body["json"], ensure_ascii=False).encode("utf-8", "backslashreplace")
    else:
        data = str(body.get(form) or "").encode("utf-8", "backslashreplace")
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n")


@click.command()
@click.argument("destination")
@_selector_option
@click.option("--limit", type=click.IntRange(1), help="End after so many messages.")
@output_options
@pass_tool
def tail(tool: Tool, /, out: Output, destination: str, selector: str, limit: int | None) -> None:
    """Watch what comes to a queue or a topic, as it comes, until Ctrl-C; nothing is consumed.

    \b
    Examples:
      rmimom-admin tail orders
      rmimom-admin tail topic://quakes --selector 'magnitude >= 4.5'
      rmimom-admin tail orders -o jsonl --limit 10
    """
    if out.form in {"json", "csv"}:
        raise click.UsageError("a stream has no end: use -o jsonl, or no format")
    kind, name = read_destination(destination)
    shown = 0
    try:
        with tool.client.events(f"{path_of(kind, name)}/tail", selector=selector) as events:
            for message in _arriving(events):
                click.echo(as_json(message) if out.form == "jsonl" else _line(message))
                shown += 1
                if shown == limit:
                    return
    except KeyboardInterrupt:
        return
    raise Failure("the server ended the stream", AWAY, "connection-failed")


def _arriving(events: Iterator[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The messages of a stream; what was dropped is told to the error output."""
    for event, data in events:
        if event != "messages":
            continue
        found = json.loads(data)
        yield from found["items"]
        if found["dropped"]:
            click.echo(f"{count(found['dropped'], 'more message')} came too fast to be shown", err=True)


def _line(message: Mapping[str, Any]) -> str:
    words = [cell(message["timestamp"], "time"), str(message["kind"])]
    words += [f"{name}={as_json(value)}" for name, value in message["properties"].items()]
    return harmless(" ".join([*words, str(message["preview"])]))


@click.command()
@click.argument("queue")
@click.argument("to")
@selection_options
@output_options
@pass_tool
def move(tool: Tool, /, out: Output, queue: str, to: str, **selection: Any) -> None:
    """Move messages from a queue to another, in order; each keeps its headers and its id.

    \b
    Examples:
      rmimom-admin move orders orders.red --selector "colour = 'red'"
      rmimom-admin move orders parked --all --limit 100
      rmimom-admin move orders parked --id 17 --id 18
    """
    carry_out(tool, out, queue, "move", selection, f"from {queue} to {to}", to=full_name(to))


@click.command()
@click.argument("queue")
@click.argument("to")
@selection_options
@output_options
@pass_tool
def copy(tool: Tool, /, out: Output, queue: str, to: str, **selection: Any) -> None:
    """Send copies of messages of a queue to another one, or to `topic://NAME`; each copy has an id of its own.

    \b
    Example:
      rmimom-admin copy orders topic://audit --selector "amount > 1000"
    """
    carry_out(tool, out, queue, "copy", selection, f"from {queue} to {to}", to=full_name(to))


@click.command()
@click.argument("queue")
@selection_options
@click.option("--reason", default="", help="Why; it is shown with the dead letters.")
@yes_option
@output_options
@pass_tool
def bury(tool: Tool, /, out: Output, queue: str, reason: str, yes: bool, **selection: Any) -> None:
    """Make dead letters of messages that no consumer will ever manage; `dlq retry` sends them back.

    \b
    Example:
      rmimom-admin bury orders --id 17 --reason 'no such customer'
    """
    carry_out(tool, out, queue, "bury", selection, f"from {queue}", yes=yes, reason=reason)


@click.command("rm-message")
@click.argument("queue")
@selection_options
@yes_option
@output_options
@pass_tool
def remove_message(tool: Tool, /, out: Output, queue: str, yes: bool, **selection: Any) -> None:
    """Remove messages from a queue for good.

    \b
    Examples:
      rmimom-admin rm-message orders --id 17 --yes
      rmimom-admin rm-message orders --text spam --dry-run
    """
    carry_out(tool, out, queue, "remove", selection, f"from {queue}", yes=yes)
