"""`rmimom-admin user`: who may connect, and what they may do in the administration."""

from __future__ import annotations

import sys
from typing import Any

import click

from rmimom.admin.client import segment
from rmimom.admin.columns import USER
from rmimom.admin.options import list_options, output_options, reading, yes_option
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, confirm, pass_tool
from rmimom.roles import NONE, ROLES

_role_option = click.option(
    "--role",
    type=click.Choice(["none", *ROLES]),
    help="What the user may do in the administration, beside sending and receiving.",
)


@click.group()
def user() -> None:
    """The users who may connect.

    Until there is one, anybody on the server's own machine may send and receive.

    \b
    Examples:
      rmimom-admin user add alice
      rmimom-admin user add watcher --role viewer < password.txt
      rmimom-admin user passwd admin
    """


@user.command("ls")
@list_options("name", "role")
@reading
@pass_tool
def list_users(tool: Tool, /, out: Output, query: dict[str, Any], most: int | None) -> None:
    """List the users with their roles.

    \b
    Example:
      rmimom-admin user ls
    """
    out.rows(tool.client.items("/users", most=most, **query), USER, "there are no users")


@user.command("add")
@click.argument("name")
@_role_option
@output_options
@pass_tool
def add_user(tool: Tool, /, out: Output, name: str, role: str | None) -> None:
    """Add a user; the password is asked for, or read from the first line of a standard input that is no terminal.

    \b
    Examples:
      rmimom-admin user add alice
      rmimom-admin user add watcher --role viewer < password.txt
    """
    done = tool.client.post("/users", {"name": name, "password": _new_password(name), "role": _role(role)})
    out.done(done, f"added user {name}")


@user.command("passwd")
@click.argument("name")
@output_options
@pass_tool
def change_password(tool: Tool, /, out: Output, name: str) -> None:
    """Give a user another password, asked for or read as by `add`; connections that are open stay so.

    \b
    Example:
      rmimom-admin user passwd admin
    """
    done = tool.client.put(_path(name), {"password": _new_password(name)})
    out.done(done, f"changed the password of {name}")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(["none", *ROLES]))
@output_options
@pass_tool
def change_role(tool: Tool, /, out: Output, name: str, role: str) -> None:
    """Give a user another role in the administration, or none.

    \b
    Example:
      rmimom-admin user role alice operator
    """
    done = tool.client.put(_path(name), {"role": _role(role)})
    out.done(done, f"{name} has the role {role}")


@user.command("rm")
@click.argument("name")
@yes_option
@output_options
@pass_tool
def remove_user(tool: Tool, /, out: Output, name: str, yes: bool) -> None:
    """Remove a user; connections that are open stay so.

    \b
    Example:
      rmimom-admin user rm alice --yes
    """
    confirm(f"Remove user {name}?", yes=yes)
    tool.client.delete(_path(name))
    out.done({"name": name, "removed": True}, f"removed user {name}")


def _path(name: str) -> str:
    return f"/users/{segment(name, 'the name of the user')}"


def _role(text: str | None) -> str:
    return NONE if text in {None, "none"} else str(text)


def _new_password(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"New password of {name}", hide_input=True, confirmation_prompt=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.UsageError("no password came on the standard input")
    return password
