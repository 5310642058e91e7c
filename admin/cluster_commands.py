"""The commands `rmimom-admin cluster`: who is active, who is in sync, and how that is changed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from rmimom.admin.common import Failure, confirm, json_option, show
from rmimom.admin.remote import administration
from rmimom.destination import CLUSTER_NAME
from rmimom.errors import JMSError


@contextmanager
def _cluster(context: click.Context) -> Iterator[Any]:
    """The cluster object of the server that the options name."""
    try:
        with administration(context.obj(), CLUSTER_NAME) as proxy:
            yield proxy
    except JMSError as error:
        raise Failure(error) from error


@click.group()
def cluster() -> None:
    """Active and standby: who serves, who is in sync, and changing that by hand.

    A standby in sync takes over by itself when the active is gone.  On a standby's machine name its data directory with
    --data; it answers also when no other server does.

    \b
    Examples:
      rmimom-admin cluster status
      rmimom-admin --data /var/lib/rmimom-standby cluster status --json
      rmimom-admin cluster switchover
      rmimom-admin --data /var/lib/rmimom-standby cluster promote --force
    """  # \b is click's


@cluster.command()
@json_option
@click.pass_context
def status(context: click.Context, /, as_json: bool) -> None:
    """The cluster as one server sees it: how far each standby is, only the active knows."""
    from rmimom.admin.tables import CLUSTER, cluster_rows, cluster_text, show_table

    with _cluster(context) as proxy:
        found = proxy.status()

    def text() -> None:
        click.echo(cluster_text(found))
        show_table(cluster_rows(found), CLUSTER, "no server is known to be active")

    show(as_json, found, text)


@cluster.command()
@click.option("--to", metavar="ID|HOST:PORT", help="The standby that becomes active.  [default: one that is in sync]")
@click.pass_context
def switchover(context: click.Context, /, to: str | None) -> None:
    """Let a standby in sync become active, and the active its standby.  Clients see a pause, no error.

    Ask the active server.

    Example: rmimom-admin cluster switchover --to 10.0.0.2:61611
    """
    with _cluster(context) as proxy:
        found = proxy.switchover(to)
    click.echo(_who_is_active(found))


@cluster.command()
@click.option("--force", is_flag=True, help="Required: it says that you know what may be lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def promote(context: click.Context, /, force: bool, yes: bool) -> None:
    """Make the server that the options name active, whatever it lacks.

    For a standby that was not in sync when the active was lost for good, or a cluster that lost members and the memory
    of its name server.  What was confirmed and is not on this server's disk is lost.  A standby in sync needs no help.

    Example: rmimom-admin --data /var/lib/rmimom-standby cluster promote --force
    """
    if not force:
        raise click.UsageError("a standby in sync takes over by itself; to promote one that lacks messages add --force")
    confirm("Make this server active? Messages that it lacks are lost, and the active one is deposed.", yes)
    with _cluster(context) as proxy:
        found = proxy.promote(True)
    click.echo(_who_is_active(found))


def _who_is_active(found: Mapping[str, Any]) -> str:
    active = next((server for server in found["servers"] if server["role"] == "active"), None)
    if active is None:
        return "no server is known to be active"
    return f"server {active['server_id']} at {active['address']} is active, in configuration {found['configuration']:,}"
