"""`rmimom-admin bench`: how fast a running server is, from here."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click

from rmimom.admin.benching import PREFIX, Outcome, Plan, measure
from rmimom.admin.client import Login
from rmimom.admin.destinations import path_of
from rmimom.admin.failure import REFUSED, Failure
from rmimom.admin.options import output_options
from rmimom.admin.output import Output, facts
from rmimom.admin.tool import Tool, pass_tool
from rmimom.admin.where import find
from rmimom.destination import FACTORY_NAME


@click.command()
@click.option("--topic", "kind", flag_value="topic", help="Over a topic: each consumer gets everything.")
@click.option("--queue", "kind", flag_value="queue", default=True, help="Over a queue.  [the default]")
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True, help="For so long.")
@click.option("--producers", type=click.IntRange(1, 64), default=1, show_default=True, help="Sending processes.")
@click.option("--consumers", type=click.IntRange(0, 64), default=1, show_default=True, help="Receiving processes.")
@click.option("--size", type=click.IntRange(0, 10**7), default=1024, show_default=True, help="Bytes of a body.")
@click.option("--rate", type=click.FloatRange(0), default=0.0, help="Messages a second of each producer.  [no limit]")
@click.option("--non-persistent", is_flag=True, help="Messages that need not survive a restart.")
@click.option("--each-confirmed", is_flag=True, help="Wait for each confirmation before the next message.")
@click.option("--login-file", type=click.Path(dir_okay=False, path_type=Path), help="USER:PASSWORD for messaging.")
@output_options
@pass_tool
def bench(
    tool: Tool,
    /,
    out: Output,
    kind: str,
    seconds: float,
    producers: int,
    consumers: int,
    size: int,
    rate: float,
    non_persistent: bool,
    each_confirmed: bool,
    login_file: Path | None,
) -> None:
    """Measure throughput and latency with messages through a queue or topic of its own, which is deleted at the end.

    Every message is confirmed and acknowledged.  The latency is from the send to `receive` in another process of this
    machine; without --rate it shows how long messages wait at full load, with it how fast one gets through.

    \b
    Examples:
      rmimom-admin bench
      rmimom-admin bench --seconds 30 --rate 300 --json
      rmimom-admin bench --topic --consumers 4 --size 200 -o csv
    """
    client = tool.client
    name = PREFIX + secrets.token_hex(6)
    uri = f"PYRO:{FACTORY_NAME}@{client.get('/status')['address']}"
    login = _login(tool, login_file)
    user, password = (login.user, login.password) if login is not None else (None, None)
    plan = Plan(
        uri, user, password, kind, name, seconds, producers, consumers, size, rate, not non_persistent, each_confirmed
    )
    client.post(f"/{kind}s", {"name": name})
    try:
        found = measure(plan)
    finally:
        _remove(tool, kind, name)
    shown = _shown(plan, found)
    out.thing(shown, lambda: _text(shown))


def _login(tool: Tool, file: Path | None) -> Login | None:
    """The login for messaging: that of the file, or the one that was given for the HTTP interface."""
    if file is not None:
        try:
            user, _, password = file.read_text(encoding="utf-8").strip().partition(":")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"cannot read the login in {file}: {error}") from error
        return Login(user, password)
    place = find(tool.given)
    # A token is good for administration alone.
    return place.login if place.data is None else None


def _remove(tool: Tool, kind: str, name: str) -> None:
    try:
        tool.client.delete(path_of(kind, name))
    except Failure as failure:
        if failure.exit_code != REFUSED:
            raise
        # A consumer that was ended a moment ago may still be there for the server.
        click.echo(f"{kind} {name} is left behind: {failure.format_message()}", err=True)


def _shown(plan: Plan, found: Outcome) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "seconds": plan.seconds,
        "producers": plan.producers,
        "consumers": plan.consumers,
        "size": plan.size,
        "rate": plan.rate,
        "persistent": plan.persistent,
        "each_confirmed": plan.each_confirmed,
        "sent": found.sent,
        "received": found.received,
        "send_rate": round(found.send_rate, 1),
        "receive_rate": round(found.receive_rate, 1),
        "latency_ms": {name: round(value, 3) for name, value in found.latency.items()},
        "latency_most_ms": round(found.longest, 3),
    }


def _text(shown: dict[str, Any]) -> str:
    latency = ", ".join(f"{name} {value:,.1f} ms" for name, value in shown["latency_ms"].items())
    return facts(
        [
            ("sent", f"{shown['sent']:,}, {shown['send_rate']:,.0f} confirmed a second"),
            ("received", f"{shown['received']:,}, {shown['receive_rate']:,.0f} a second" if shown["consumers"] else ""),
            ("latency", f"{latency}, at most {shown['latency_most_ms']:,.1f} ms" if shown["received"] else ""),
        ]
    )
