"""What every command is given: the server that is meant, asked when it is needed."""

from __future__ import annotations

import sys
from functools import cached_property

import click

from rmimom.admin.client import Client
from rmimom.admin.failure import AWAY, Failure
from rmimom.admin.where import Given, connect


class Tool:
    """The options before the command, and what follows from them."""

    def __init__(self, given: Given) -> None:
        self.given = given

    @cached_property
    def client(self) -> Client:
        """The server.  Raises Failure or click.UsageError if it cannot be said which."""
        return connect(self.given)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "client" in self.__dict__:
            self.client.close()


pass_tool = click.make_pass_decorator(Tool)


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless the answer is given already; ends the command if it is no, or if nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"{question} Nobody can be asked here: add --yes", AWAY)
    click.confirm(question, abort=True, err=True)


def count(number: int, thing: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
