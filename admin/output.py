"""What a command found, as a table for people, or as JSON, JSON lines or CSV for programs.

JSON has the forms of the HTTP interface: a list is an array of its rows, everything else an object.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import click

from rmimom.admin.columns import Column, cell, shown, value_of
from rmimom.admin.failure import harmless

Format: TypeAlias = Literal["table", "json", "jsonl", "csv"]
FORMATS: Final = ("table", "json", "jsonl", "csv")

_WIDE: Final = 10_000
# JSON may hold them as they are, but a terminal would obey them.
_CONTROL: Final = {code: f"\\u{code:04x}" for code in range(127, 160)}


class Output:
    """Writes what was found to the standard output, in one format."""

    def __init__(self, form: Format = "table") -> None:
        self.form = form

    @property
    def for_people(self) -> bool:
        """Whether somebody reads it."""
        return self.form == "table"

    def rows(self, found: Iterable[Mapping[str, Any]], wanted: Sequence[Column], nothing: str) -> None:
        """A list.  JSON lines are written as they come; `nothing` is said to people if there is none."""
        if self.form == "jsonl":
            for row in found:
                click.echo(as_json(row))
        elif self.form == "json":
            click.echo(as_json(list(found), indent=2))
        elif self.form == "csv":
            click.echo(_as_csv(list(found)), nl=False)
        else:
            rows = list(found)
            click.echo(table(rows, wanted) if rows else nothing)

    def thing(self, found: Mapping[str, Any], text: Callable[[], str]) -> None:
        """One object; `text` makes what people read."""
        if self.form == "table":
            click.echo(text())
        elif self.form == "csv":
            click.echo(_as_csv([found]), nl=False)
        else:
            click.echo(as_json(found, indent=2 if self.form == "json" else None))

    def done(self, found: Mapping[str, Any], text: str) -> None:
        """What an order did."""
        self.thing(found, lambda: harmless(text))


def as_json(found: object, indent: int | None = None) -> str:
    """JSON that a terminal can show."""
    text = json.dumps(found, indent=indent, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode().translate(_CONTROL)


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    keys = list(rows[0])  # every row of a list has the same
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        writer.writerow([_csv_value(row.get(key)) for key in keys])
    return file.getvalue()


def _csv_value(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return as_json(value) if isinstance(value, Mapping | list) else value


def table(rows: Sequence[Mapping[str, Any]], wanted: Sequence[Column]) -> str:
    """A table with a row for each of `rows`; it folds at a terminal's edge, and nowhere else."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    columns = shown(wanted, rows)
    for column in columns:
        made.add_column(column.name, justify="right" if column.right else "left", no_wrap=column.right, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell(value_of(row, column.key), column.form)) for column in columns))
    console = Console(highlight=False)
    if not console.is_terminal:
        # Into a pipe or a file every row is one line, however long.
        console = Console(highlight=False, width=_WIDE, color_system=None)
    with console.capture() as capture:
        console.print(made)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def facts(rows: Iterable[tuple[str, object]]) -> str:
    """Titles and values below one another; those without a value are left out."""
    texts = [(title, value if isinstance(value, str) else cell(value)) for title, value in rows]
    kept = [(title, text) for title, text in texts if text]
    width = max((len(title) for title, _ in kept), default=0) + 2
    return "\n".join(f"{title:<{width}}{harmless(text)}".rstrip() for title, text in kept)
