"""`rmimom-admin sub`: the subscriptions of topics."""

from __future__ import annotations

from typing import Any

import click

from rmimom.admin.columns import SUBSCRIPTION, cell
from rmimom.admin.failure import Failure
from rmimom.admin.options import list_options, output_options, reading, yes_option
from rmimom.admin.output import Output, facts
from rmimom.admin.tool import Tool, confirm, count, pass_tool

_owner_option = click.option("--client-id", metavar="ID", help="The one of this client id, if several have the name.")


@click.group()
def sub() -> None:
    """Look at subscriptions of topics, make and delete durable ones.

    \b
    Examples:
      rmimom-admin sub ls --state offline
      rmimom-admin sub create quakes archive --selector "magnitude >= 4.5"
      rmimom-admin sub rm archive
    """


@sub.command("ls")
@click.option("--topic", default="", metavar="NAME", help="Only those of this topic or pattern.")
@click.option(
    "--state",
    type=click.Choice(["all", "active", "offline", "not-durable"]),
    default="all",
    show_default=True,
    help="Durable ones with or without a consumer, or those that are not durable.",
)
@list_options("client_id", "name", "topic", "pending", "held", "consumers", "enqueued", "dequeued", "created", "id")
@reading
@pass_tool
def list_subscriptions(
    tool: Tool, /, out: Output, query: dict[str, Any], most: int | None, topic: str, state: str
) -> None:
    """List the subscriptions with their counters.

    \b
    Examples:
      rmimom-admin sub ls --state offline --sort pending --desc
      rmimom-admin sub ls --topic quakes --json
    """
    found = tool.client.items("/subscriptions", most=most, topic=topic, state=state, **query)
    out.rows(found, SUBSCRIPTION, "there are no subscriptions")


@sub.command("show")
@click.argument("name", metavar="NAME|ID")
@_owner_option
@reading
@pass_tool
def show_subscription(tool: Tool, /, out: Output, name: str, client_id: str | None) -> None:
    """Show one subscription.

    \b
    Example:
      rmimom-admin sub show archive
    """
    found = _find(tool, name, client_id)

    def text() -> str:
        rows = [(key.replace("_", " "), value) for key, value in found.items() if key not in {"id", "created"}]
        return facts([("id", str(found["id"])), *rows, ("created", f"{cell(found['created'], 'time')} UTC")])

    out.thing(found, text)


def _find(tool: Tool, name: str, client_id: str | None) -> dict[str, Any]:
    """The subscription of this name, or number.  Raises Failure if there is none, or if there are several."""
    if name.isdecimal() and client_id is None:
        found: dict[str, Any] = tool.client.get(f"/subscriptions/{name}")
        return found
    rows = [
        row
        for row in tool.client.items("/subscriptions", filter=name)
        if row["name"] == name and client_id in {None, row["client_id"]}
    ]
    if not rows:
        raise Failure(f"there is no subscription named {name!r}", code="invalid-destination")
    if len(rows) > 1:
        owners = ", ".join(f"{row['client_id'] or '(shared)'}: {row['id']}" for row in rows)
        raise Failure(f"{len(rows)} subscriptions are named {name!r} ({owners}): say --client-id, or the number")
    return rows[0]


@sub.command("create")
@click.argument("topic")
@click.argument("name")
@click.option("--client-id", default="", metavar="ID", help="Whose it is: a client id, or the user of clients without.")
@click.option("--selector", default="", help="Only messages that it takes.")
@click.option("--no-local", is_flag=True, help="Not what its own connection sends.")
@click.option("--shared", is_flag=True, help="Several consumers share it.")
@output_options
@pass_tool
def create_subscription(
    tool: Tool,
    /,
    out: Output,
    topic: str,
    name: str,
    client_id: str,
    selector: str,
    no_local: bool,
    shared: bool,
) -> None:
    """Make a durable subscription for a client that connects later; TOPIC may be a pattern.

    \b
    Examples:
      rmimom-admin sub create quakes archive --client-id archive-1
      rmimom-admin sub create 'quakes.>' strong --shared --selector 'magnitude >= 4.5'
    """
    asked = {
        "topic": topic,
        "name": name,
        "client_id": client_id,
        "selector": selector,
        "no_local": no_local,
        "shared": shared,
    }
    done = tool.client.post("/subscriptions", asked)
    out.done(done, f"created subscription {name} of topic {topic}, number {done['id']}")


@sub.command("rm")
@click.argument("name", metavar="NAME|ID")
@_owner_option
@yes_option
@output_options
@pass_tool
def remove_subscription(tool: Tool, /, out: Output, name: str, client_id: str | None, yes: bool) -> None:
    """Delete a durable subscription with what waits there; refused while it has a consumer.

    \b
    Example:
      rmimom-admin sub rm archive --yes
    """
    found = _find(tool, name, client_id)
    confirm(f"Delete subscription {found['name']} with {count(found['pending'], 'message')}?", yes=yes)
    tool.client.delete(f"/subscriptions/{found['id']}")
    out.done({"id": found["id"], "name": found["name"], "deleted": True}, f"deleted subscription {found['name']}")
