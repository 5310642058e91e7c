"""`rmimom-admin completion`: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print the script that makes a shell complete this command's words.

    \b
    Examples:
      eval "$(rmimom-admin completion bash)"                       # in ~/.bashrc
      eval "$(rmimom-admin completion zsh)"                        # in ~/.zshrc
      rmimom-admin completion fish > ~/.config/fish/completions/rmimom-admin.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "rmimom-admin", "_RMIMOM_ADMIN_COMPLETE").source())
