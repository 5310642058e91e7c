"""A group whose commands are imported when they are needed: `rmimom-admin queue ls` reads no other command's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Commands by name, each with the function that imports it."""

    def __init__(self, *arguments: Any, loaders: Mapping[str, Callable[[], click.Command]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._loaders = dict(loaders)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the table."""
        del ctx
        return list(self._loaders)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        del ctx
        load = self._loaders.get(cmd_name)
        return load() if load is not None else None
