"""The command `rmimom-admin`: looks at a running server and gives it orders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rmimom import __version__
from rmimom.admin.cluster_commands import cluster
from rmimom.admin.common import Failure, confirm, json_option, show
from rmimom.admin.remote import DEFAULT_NAMESERVER, DEFAULT_USER, Login, Whereabouts, administration
from rmimom.errors import JMSError
from rmimom.paths import data_directory

KIND = click.Choice(["topic", "queue"])


@click.group(context_settings={"max_content_width": 110})
@click.option("--server", metavar="HOST:PORT|URI", envvar="RMIMOM_ADMIN_SERVER", show_envvar=True, help="The server.")
@click.option(
    "--nameserver",
    metavar="HOST:PORT",
    envvar=["RMIMOM_ADMIN_NAMESERVER", "RMIMOM_NAMESERVER"],
    help=f"Find the server in this name server.  [RMIMOM_NAMESERVER; default: {DEFAULT_NAMESERVER}]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=data_directory,
    show_default="$RMIMOM_DATA, or ~/.local/share/rmimom",
    help="Data directory of a server on this machine.",
)
@click.option("--user", envvar="RMIMOM_ADMIN_USER", show_envvar=True, help=f"Log in as this user.  [{DEFAULT_USER}]")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    envvar="RMIMOM_ADMIN_PASSWORD_FILE",
    show_envvar=True,
    help="Its password is the first line of this file.  RMIMOM_ADMIN_PASSWORD holds the password itself.",
)
@click.version_option(__version__, prog_name="rmimom-admin")
@click.pass_context
def main(
    context: click.Context,
    /,
    server: str | None,
    nameserver: str | None,
    data: Path,
    user: str | None,
    password_file: Path | None,
) -> None:
    """Look at a running server, and create, delete and empty queues and topics.

    On the server's own machine, for whoever may read its data directory, no option is needed: the server leaves a token
    there.  From elsewhere, say where the server or its name server is, and log in as an administrator.

    \b
    Examples:
      rmimom-admin status
      rmimom-admin queues --json
      rmimom-admin create topic quakes
      rmimom-admin user add alice
      rmimom-admin cluster status
      rmimom-admin --nameserver names.example:9090 --password-file ~/.rmimom-admin status

    \b
    Exit codes:
      0  done
      1  the server cannot be reached, or refuses
      2  an option is wrong
    """  # \b is click's
    context.obj = lambda: Whereabouts(server, nameserver, data, _login(user, password_file))


def _login(user: str | None, password_file: Path | None) -> Login | None:
    """The login that the options give, None for none; asks for the password at a terminal if there is only a user."""
    password = os.environ.get("RMIMOM_ADMIN_PASSWORD")
    if password_file is not None:
        try:
            text = sys.stdin.readline() if str(password_file) == "-" else password_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"cannot read the password in {password_file}: {error}") from error
        password = text.partition("\n")[0].rstrip("\r")
    if not password and user is not None:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{user} needs a password: give --password-file or RMIMOM_ADMIN_PASSWORD")
        password = click.prompt(f"Password of {user}", hide_input=True, err=True)
    return Login(user or DEFAULT_USER, password) if password else None


@contextmanager
def _server(context: click.Context) -> Iterator[Any]:
    """The administration object of the server that the options name."""
    try:
        with administration(context.obj()) as server:
            yield server
    except JMSError as error:
        raise Failure(error) from error


@main.command()
@json_option
@click.pass_context
def status(context: click.Context, /, as_json: bool) -> None:
    """The server as a whole."""
    from rmimom.admin.tables import status_text

    with _server(context) as server:
        found = server.status()
    show(as_json, found, lambda: click.echo(status_text(found)))


@main.command()
@json_option
@click.pass_context
def topics(context: click.Context, /, as_json: bool) -> None:
    """Every topic with its counters."""
    from rmimom.admin.tables import TOPIC, show_table

    with _server(context) as server:
        found = server.topics()
    show(as_json, found, lambda: show_table(found, TOPIC, "there are no topics"))


@main.command()
@json_option
@click.pass_context
def queues(context: click.Context, /, as_json: bool) -> None:
    """Every queue with its counters."""
    from rmimom.admin.tables import DESTINATION, show_table

    with _server(context) as server:
        found = server.queues()
    show(as_json, found, lambda: show_table(found, DESTINATION, "there are no queues"))


@main.command()
@json_option
@click.pass_context
def subscriptions(context: click.Context, /, as_json: bool) -> None:
    """Every durable subscription with its counters."""
    from rmimom.admin.tables import SUBSCRIPTION, show_table

    with _server(context) as server:
        found = server.subscriptions()
    show(as_json, found, lambda: show_table(found, SUBSCRIPTION, "there are no durable subscriptions"))


@main.command()
@click.argument("kind", type=KIND)
@click.argument("name")
@click.pass_context
def create(context: click.Context, /, kind: str, name: str) -> None:
    """Create a topic or a queue; harmless if it is there.

    Example: rmimom-admin create topic quakes
    """
    with _server(context) as server:
        new = server.create(kind, name)
    click.echo(f"created {kind} {name}" if new else f"{kind} {name} is there already")


@main.command()
@click.argument("kind", type=KIND)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(context: click.Context, /, kind: str, name: str, yes: bool) -> None:
    """Delete a topic or a queue with all that waits there; refused while it has consumers.

    Example: rmimom-admin delete queue orders
    """
    confirm(f"Delete {kind} {name} and everything that waits there?", yes)
    with _server(context) as server:
        server.delete(kind, name)
    click.echo(f"deleted {kind} {name}")


@main.command()
@click.argument("kind", type=click.Choice(["queue"]))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def purge(context: click.Context, /, kind: str, name: str, yes: bool) -> None:
    """Remove every message that waits in a queue; those with consumers stay theirs.

    Example: rmimom-admin purge queue orders
    """
    confirm(f"Remove all messages that wait in {kind} {name}?", yes)
    with _server(context) as server:
        removed = server.purge(name)
    click.echo(f"removed {removed:,} message{'' if removed == 1 else 's'} from {kind} {name}")


@main.group()
def dlq() -> None:
    """Dead letters: messages that consumers failed on too often, and expired ones if they are kept.

    Those of the queue or topic NAME wait in the queue DLQ.NAME, if the server has no other settings.
    """


@dlq.command("ls")
@click.argument("name")
@json_option
@click.pass_context
def list_dead_letters(context: click.Context, /, name: str, as_json: bool) -> None:
    """Every dead letter in the queue NAME, the oldest first.

    Example: rmimom-admin dlq ls DLQ.orders
    """
    from rmimom.admin.tables import DEAD_LETTER, dead_letter_rows, show_table

    with _server(context) as server:
        found = server.dead_letters(name)
    show(as_json, found, lambda: show_table(dead_letter_rows(found), DEAD_LETTER, f"no dead letters in {name}"))


@dlq.command("retry")
@click.argument("name")
@click.option("--id", "ids", type=int, multiple=True, metavar="N", help="The one with this id; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.pass_context
def retry_dead_letters(context: click.Context, /, name: str, ids: tuple[int, ...], everything: bool) -> None:
    """Send dead letters in the queue NAME back to where they came from.

    Those that a consumer holds stay, and those whose subscription does not exist any more.

    Example: rmimom-admin dlq retry DLQ.orders --all
    """
    if everything == bool(ids):
        raise click.UsageError("say which: --id N, or --all")
    with _server(context) as server:
        sent = server.retry(name, None if everything else list(ids))
    click.echo(f"sent {sent:,} message{'' if sent == 1 else 's'} back from {name}")
    if len(set(ids)) > sent:
        raise click.ClickException(f"{len(set(ids)) - sent:,} of the ids stayed or are not there")


@main.group()
def schedule() -> None:
    """Scheduled messages: those that wait to be sent at a time, once or again and again."""


@schedule.command("ls")
@json_option
@click.pass_context
def list_scheduled(context: click.Context, /, as_json: bool) -> None:
    """Every scheduled message, what is due next first."""
    from rmimom.admin.tables import SCHEDULED, scheduled_rows, show_table

    with _server(context) as server:
        found = server.scheduled()
    show(as_json, found, lambda: show_table(scheduled_rows(found), SCHEDULED, "nothing is scheduled"))


@schedule.command("cancel")
@click.option("--id", "ids", type=int, multiple=True, metavar="N", help="The one with this id; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.pass_context
def cancel_scheduled(context: click.Context, /, ids: tuple[int, ...], everything: bool) -> None:
    """Forget scheduled messages.

    Example: rmimom-admin schedule cancel --id 17
    """
    if everything == bool(ids):
        raise click.UsageError("say which: --id N, or --all")
    with _server(context) as server:
        gone = server.cancel_scheduled(None if everything else list(ids))
    _tell_scheduled("cancelled", gone, ids)


@schedule.command("deliver")
@click.option("--id", "ids", type=int, multiple=True, required=True, metavar="N", help="Its id; may be repeated.")
@click.pass_context
def deliver_scheduled(context: click.Context, /, ids: tuple[int, ...]) -> None:
    """Send scheduled messages now, whatever their time; that counts as once.

    Example: rmimom-admin schedule deliver --id 17
    """
    with _server(context) as server:
        sent = server.deliver_scheduled(list(ids))
    _tell_scheduled("sent", sent, ids)


def _tell_scheduled(done: str, number: int, ids: tuple[int, ...]) -> None:
    click.echo(f"{done} {number:,} scheduled message{'' if number == 1 else 's'}")
    if len(set(ids)) > number:
        raise click.ClickException(f"{len(set(ids)) - number:,} of the ids are not scheduled")


@main.group()
def user() -> None:
    """The users who may connect.

    Until there is one, anybody on the server's own machine may send and receive.
    """


@user.command("ls")
@json_option
@click.pass_context
def list_users(context: click.Context, /, as_json: bool) -> None:
    """Every user."""
    from rmimom.admin.tables import USER, show_table

    with _server(context) as server:
        found = server.users()
    show(as_json, found, lambda: show_table(found, USER, "there are no users"))


@user.command("add")
@click.argument("name")
@click.pass_context
def add_user(context: click.Context, /, name: str) -> None:
    """Add a user.  The password is asked for, or read from the first line of a standard input that is no terminal.

    Example: rmimom-admin user add alice < password.txt
    """
    _put_user(context, name, new=True)


@user.command("passwd")
@click.argument("name")
@click.pass_context
def change_password(context: click.Context, /, name: str) -> None:
    """Give a user another password, asked for or read as by `add`.  Connections that are open stay so."""
    _put_user(context, name, new=False)


def _put_user(context: click.Context, name: str, *, new: bool) -> None:
    with _server(context) as server:
        known = any(user["name"] == name for user in server.users())
    if new and known:
        raise click.ClickException(f"there is a user {name} already; change the password with: user passwd {name}")
    if not new and not known:
        raise click.ClickException(f"there is no user {name}; add one with: user add {name}")
    password = _new_password(name)
    with _server(context) as server:
        server.put_user(name, password)
    click.echo(f"added user {name}" if new else f"changed the password of {name}")


def _new_password(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"New password of {name}", hide_input=True, confirmation_prompt=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.UsageError("no password came on the standard input")
    return password


@user.command("rm")
@click.argument("name")
@click.pass_context
def remove_user(context: click.Context, /, name: str) -> None:
    """Remove a user.  Connections that are open stay so."""
    with _server(context) as server:
        server.remove_user(name)
    click.echo(f"removed user {name}")


main.add_command(cluster)

if __name__ == "__main__":
    main(prog_name="rmimom-admin")
