"""The table of commands in docs/admin.md, made of the commands' own help."""

from __future__ import annotations

from collections.abc import Iterator

import click

BEGIN = "<!-- commands: written by `./go test tests/admin/test_docs.py --rewrite` from the commands' own help -->\n"
END = "<!-- end of commands -->\n"
# They are the same everywhere, and the page tells of them once.
COMMON = {"--output", "--json", "--watch", "--times", "--help"}


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, with the words that call it."""
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


def arguments(command: click.Command) -> str:
    """Its arguments as its usage shows them."""
    context = click.Context(command)
    shown = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
    return " ".join(shown)


def option_names(command: click.Command) -> list[str]:
    """The long names of its options."""
    found = [one.opts[-1] for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [name for name in found if name not in COMMON]


def first_sentence(command: click.Command) -> str:
    """What it does, in the first paragraph of its help."""
    text = (command.help or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def command_table(root: click.Command) -> str:
    """The table."""
    rows = ["| command | does | options |", "|---|---|---|"]
    for path, command in commands(root):
        called = " ".join([*path, arguments(command)]).strip().replace("|", "\\|")
        options = " ".join(f"`{name}`" for name in option_names(command))
        rows.append(f"| `{called}` | {first_sentence(command)} | {options} |")
    return "\n".join(rows) + "\n"
