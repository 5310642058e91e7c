"""What the commands of the administration tool have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from rmimom.errors import ConfigurationError, JMSError

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Shown as `Error: text`."""

    def __init__(self, error: JMSError) -> None:
        super().__init__(error.text)
        self.exit_code = 2 if isinstance(error, ConfigurationError) else 1  # type: ignore[misc]  # click sets it so


def json_option(function: F) -> F:
    """The option of every reading."""
    return click.option("--json", "as_json", is_flag=True, help="As JSON; docs/administration.md has its form.")(
        function
    )


def show(as_json: bool, found: Any, text: Callable[[], None]) -> None:
    """What was found, as JSON or as `text` shows it."""
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        text()


def confirm(question: str, yes: bool) -> None:
    """Ask, unless the answer is given already; ends the command if it is no."""
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here: add --yes")
        click.confirm(question, abort=True, err=True)
