"""Orders for many messages: which are meant, how many that is, and whether somebody really wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from rmimom.admin.destinations import path_of
from rmimom.admin.failure import REFUSED, Failure
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, confirm, count

F = TypeVar("F", bound=Callable[..., Any])

_WORDS: Final = {
    "move": ("Move", "moved"),
    "copy": ("Copy", "copied"),
    "bury": ("Bury", "buried"),
    "remove": ("Remove", "removed"),
    "retry": ("Send back", "sent back"),
}
_AT_ONCE: Final = 100_000


def selection_options(function: F) -> F:
    """`--id`, `--selector`, `--text`, `--all`, `--limit` and `--dry-run`."""
    for option in reversed(
        [
            click.option("--id", "ids", type=int, multiple=True, metavar="N", help="This one; may be repeated."),
            click.option("--selector", default="", help="Those that this message selector takes."),
            click.option("--text", default="", help="Those whose body holds this text, in either case."),
            click.option("--all", "everything", is_flag=True, help="All."),
            click.option("--limit", type=click.IntRange(1), help="Not more than this, the first in order."),
            click.option("--dry-run", is_flag=True, help="Only count them."),
        ]
    ):
        function = option(function)
    return function


def carry_out(
    tool: Tool,
    out: Output,
    queue: str,
    order: str,
    selection: Mapping[str, Any],
    where: str,
    *,
    yes: bool | None = None,
    **more: str,
) -> None:
    """Give the order, and tell how it went; `yes` None is for orders that need no question.

    Raises Failure if messages that were named stayed.
    """
    path = f"{path_of('queue', queue)}/{order}"
    asked = {**_meant(selection), **more}
    verb, done_word = _WORDS[order]
    if selection["dry_run"]:
        found = _repeat(tool, path, {**asked, "dry_run": True}, selection["limit"])
        out.done(found, f"would have {done_word} {count(found['matched'], 'message')} {where}")
        return
    if yes is False:
        found = _repeat(tool, path, {**asked, "dry_run": True}, selection["limit"])
        confirm(f"{verb} {count(found['matched'], 'message')} {where}?", yes=yes)
    found = _repeat(tool, path, asked, selection["limit"])
    out.done(found, f"{done_word} {count(found['done'], 'message')} {where}")
    if found["done"] < found["matched"]:
        left = count(found["matched"] - found["done"], "message")
        raise Failure(f"{left} stayed: consumed meanwhile, with a consumer, or not there", REFUSED)


def _meant(selection: Mapping[str, Any]) -> dict[str, Any]:
    ids, everything = list(dict.fromkeys(selection["ids"])), selection["everything"]
    chosen = bool(selection["selector"] or selection["text"])
    if sum([bool(ids), chosen, everything]) != 1:
        raise click.UsageError("say which messages: --id, --selector and --text, or --all; one of the three")
    if ids:
        return {"ids": ids}
    return {"all": True} if everything else {"selector": selection["selector"], "text": selection["text"]}


def _repeat(tool: Tool, path: str, asked: Mapping[str, Any], limit: int | None) -> dict[str, Any]:
    """Give the order again where the one before ended, until the end or the limit."""
    matched = done = 0
    cursor = ""
    while True:
        left = _AT_ONCE if limit is None else min(_AT_ONCE, limit - matched)
        found = tool.client.post(path, {**asked, "limit": left, "cursor": cursor})
        matched += found["matched"]
        done += found["done"]
        cursor = found["next"] or ""
        if not cursor or (limit is not None and matched >= limit):
            return {"matched": matched, "done": done, "dry_run": bool(asked.get("dry_run"))}
