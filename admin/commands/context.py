"""`rmimom-admin context`: the servers that one works with, by name."""

from __future__ import annotations

from pathlib import Path

import click

from rmimom.admin.columns import CONTEXT
from rmimom.admin.contexts import Context, contexts_path, read_contexts, write_contexts
from rmimom.admin.options import output_options
from rmimom.admin.output import Output
from rmimom.admin.where import checked_url


@click.group()
def context() -> None:
    """Name the servers that you work with, and say which one is meant when you name none.

    They are kept in ~/.config/rmimom/contexts.toml, without passwords: those are in files of yours, or are asked for.

    \b
    Examples:
      rmimom-admin context add production http://one:8161 http://two:8161 --user admin --password-file ~/.rmimom-admin
      rmimom-admin context use production
      rmimom-admin --context test queue ls
    """


@context.command("add")
@click.argument("name")
@click.argument("urls", nargs=-1, metavar="[URL...]")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="A data directory on this machine.")
@click.option("--user", default="", help="Log in as this user.  [default: admin]")
@click.option("--password-file", type=click.Path(dir_okay=False, path_type=Path), help="Where its password is.")
@click.option("--use", is_flag=True, help="Use it from now on.")
@output_options
def add_context(
    out: Output, name: str, urls: tuple[str, ...], data: Path | None, user: str, password_file: Path | None, use: bool
) -> None:
    """Add a context, or change one: the URLs of the servers of one cluster, or a data directory.

    \b
    Examples:
      rmimom-admin context add test http://test.example:8161 --use
      rmimom-admin context add here --data /var/lib/rmimom
    """
    if bool(urls) == (data is not None):
        raise click.UsageError("say where it is: URLs of its HTTP interface, or --data with its data directory")
    if not name:
        raise click.UsageError("a context needs a name")
    known = read_contexts()
    made = Context(
        tuple(map(checked_url, urls)),
        str(data.absolute()) if data is not None else "",
        user,
        str(password_file.absolute()) if password_file is not None else "",
    )
    write_contexts(known._replace(current=name if use else known.current, known={**known.known, name: made}))
    out.done({"name": name, **made._asdict()}, f"added context {name}{' and use it' if use else ''}")


@context.command("use")
@click.argument("name")
@output_options
def use_context(out: Output, name: str) -> None:
    """Use a context whenever none is named; `-` for none.

    \b
    Example:
      rmimom-admin context use production
    """
    known = read_contexts()
    if name == "-":
        write_contexts(known._replace(current=""))
        out.done({"current": ""}, "no context is used")
        return
    known.find(name)
    write_contexts(known._replace(current=name))
    out.done({"current": name}, f"context {name} is used from now on")


@context.command("ls")
@output_options
def list_contexts(out: Output) -> None:
    """List the contexts.

    \b
    Example:
      rmimom-admin context ls
    """
    known = read_contexts()
    rows = [
        {"name": name, "current": name == known.current, **one._asdict(), "urls": list(one.urls)}
        for name, one in sorted(known.known.items())
    ]
    if out.for_people:
        rows = [{**row, "urls": " ".join(map(str, row["urls"]))} for row in rows]
    out.rows(rows, CONTEXT, f"there are no contexts in {contexts_path()}")


@context.command("rm")
@click.argument("name")
@output_options
def remove_context(out: Output, name: str) -> None:
    """Forget a context.

    \b
    Example:
      rmimom-admin context rm test
    """
    known = read_contexts()
    known.find(name)
    left = {other: one for other, one in known.known.items() if other != name}
    write_contexts(known._replace(current="" if known.current == name else known.current, known=left))
    out.done({"name": name, "removed": True}, f"removed context {name}")
