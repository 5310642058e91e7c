"""`rmimom-admin send`: messages from arguments, files and pipes."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from rmimom.admin.destinations import full_name, path_of, read_destination
from rmimom.admin.failure import AWAY, Failure
from rmimom.admin.options import output_options
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, count, pass_tool
from rmimom.admin.values import read_properties

KINDS: Final = ("text", "bytes", "json", "map", "stream", "object", "none")


@click.command()
@click.argument("destination")
@click.argument("body", required=False)
@click.option("-p", "--property", "properties", multiple=True, metavar="NAME[:TYPE]=VALUE", help="A property.")
@click.option("--file", type=click.File("rb"), help="The body is what this file holds; - is the standard input.")
@click.option("--lines", is_flag=True, help="Each line of the file or the standard input is a message.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What the body is; json makes a map, a stream or an object message of it.  [default: text]",
)
@click.option("--count", "times", type=click.IntRange(1, 10_000), default=1, help="Send it so many times.")
@click.option("--priority", type=click.IntRange(0, 9), help="From 0 to 9.  [default: 4]")
@click.option("--ttl", type=click.FloatRange(0), default=0.0, help="Seconds until it expires.  [default: never]")
@click.option("--delay", type=click.FloatRange(0), default=0.0, help="Seconds before which it is not delivered.")
@click.option("--non-persistent", is_flag=True, help="It need not survive a restart of the server.")
@click.option("--type", "jms_type", metavar="TEXT", help="The header JMSType.")
@click.option("--correlation-id", metavar="TEXT", help="The header JMSCorrelationID.")
@click.option("--reply-to", metavar="DESTINATION", help="The header JMSReplyTo.")
@click.option("--group", metavar="TEXT", help="Its message group, JMSXGroupID.")
@output_options
@pass_tool
def send(
    tool: Tool,
    /,
    out: Output,
    destination: str,
    body: str | None,
    properties: tuple[str, ...],
    file: Any,
    lines: bool,
    kind: str | None,
    times: int,
    priority: int | None,
    ttl: float,
    delay: float,
    non_persistent: bool,
    jms_type: str | None,
    correlation_id: str | None,
    reply_to: str | None,
    group: str | None,
) -> None:
    """Send messages to a queue, or to `topic://NAME`; they are on disk when the command ends.

    The body comes from BODY, from --file, or from the standard input.  A property is text, a number, true or false as
    it looks; NAME:TYPE=VALUE says the type: boolean, byte, short, int, long, float, double, string or char.

    \b
    Examples:
      rmimom-admin send orders 'three apples' -p colour=red -p size:short=3 --priority 9
      rmimom-admin send orders '{"item": 7}' --kind json --delay 60 --count 10
      rmimom-admin send topic://quakes --file report.xml --type report
      journalctl -f -o cat | rmimom-admin send logs --lines
    """
    kind_of, name = read_destination(destination)
    asked: dict[str, Any] = {
        "properties": {**read_properties(properties), **({"JMSXGroupID": group} if group is not None else {})},
        "persistent": not non_persistent,
        "time_to_live": ttl,
        "delay": delay,
        "count": times,
    }
    more = {"priority": priority, "type": jms_type, "correlation_id": correlation_id}
    asked |= {key: value for key, value in more.items() if value is not None}
    if reply_to is not None:
        asked["reply_to"] = full_name(reply_to)
    path = f"{path_of(kind_of, name)}/messages"
    sent = 0
    ids: list[str] = []
    for data in _bodies(body, file, kind, lines=lines):
        try:
            done = tool.client.post(path, {**asked, **_encoded(data, kind or "text")})
        except Failure as failure:
            if sent:
                raise Failure(
                    f"after {count(sent, 'message')}: {failure.message}", failure.exit_code, failure.code
                ) from failure
            raise
        sent += done["count"]
        ids += done["message_ids"][: max(0, 1000 - len(ids))]
    found = {"count": sent, "message_ids": ids}
    one = f" {ids[0]}" if sent == 1 else ""
    out.done(found, f"sent {count(sent, 'message')}{one} to {kind_of}://{name}")


def _bodies(body: str | None, file: Any, kind: str | None, *, lines: bool) -> Iterator[bytes]:
    if body is not None:
        if file is not None or lines:
            raise click.UsageError("say BODY, or --file and --lines, not both")
        yield body.encode("utf-8", "surrogateescape")
        return
    if kind == "none":
        yield b""
        return
    if file is None and sys.stdin.isatty():
        raise click.UsageError("say what to send: BODY, --file, --kind none, or something on the standard input")
    stream = file if file is not None else sys.stdin.buffer
    if lines:
        for line in stream:
            yield line.rstrip(b"\r\n")
        return
    yield stream.read()


def _encoded(data: bytes, kind: str) -> dict[str, Any]:
    """The body and its kind as the HTTP interface wants them.  Raises Failure."""
    if kind == "none":
        return {"kind": "none", "body": None}
    if kind == "bytes":
        return {"kind": "bytes", "body": base64.b64encode(data).decode()}
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Failure(f"the body is no UTF-8 text at byte {error.start}; send it with --kind bytes", AWAY) from None
    if kind == "text":
        return {"kind": "text", "body": text}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Failure(f"the body is no JSON: {error}", AWAY) from None
    if kind == "json" and isinstance(value, str):
        return {"kind": "object", "body": value}
    return {"body": value} if kind == "json" else {"kind": kind, "body": value}
