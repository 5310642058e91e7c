"""`rmimom-admin import`: what was exported, into a server."""

from __future__ import annotations

import time
from typing import IO, Any

import click

from rmimom.admin.destinations import path_of
from rmimom.admin.failure import AWAY, Failure
from rmimom.admin.options import output_options
from rmimom.admin.output import Output
from rmimom.admin.progress import progress
from rmimom.admin.tool import Tool, count, pass_tool
from rmimom.admin.transfer import Definition, order_of, read_definitions, read_messages

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@click.group("import")
def import_group() -> None:
    """Read definitions or messages from a file that `rmimom-admin export` wrote.

    \b
    Examples:
      rmimom-admin import definitions broker.json --dry-run
      rmimom-admin import messages orders.jsonl
    """


@import_group.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@_DRY_RUN
@output_options
@pass_tool
def definitions(tool: Tool, /, out: Output, file: IO[str], dry_run: bool) -> None:
    """Make the queues, topics and durable subscriptions of a file; what is there already stays as it is.

    Users cannot be made, for the file has no passwords: those that are missing are named.  Repeating it does no harm.

    \b
    Examples:
      rmimom-admin import definitions broker.json --dry-run
      rmimom-admin export definitions | rmimom-admin --context other import definitions -
    """
    wanted = read_definitions(_text(file))
    missing = [one for one in wanted if one.key not in _present(tool, one.kind)]
    made = [one for one in missing if one.kind != "user"]
    with progress("importing", len(made)) as step:
        for one in made:
            if not dry_run:
                _make(tool, one)
            step()
    users = [one.row["name"] for one in missing if one.kind == "user"]
    kinds = ("queue", "topic", "subscription")
    counts = {f"{kind}s": sum(1 for one in made if one.kind == kind) for kind in kinds}
    there = len(wanted) - len(missing)
    told = f"{'would make' if dry_run else 'made'} " + ", ".join(count(counts[f"{kind}s"], kind) for kind in kinds)
    told += f"; {there:,} were there already"
    if users:
        told += f"; add these users with `rmimom-admin user add`: {', '.join(users)}"
    out.done({**counts, "there": there, "users_missing": users, "dry_run": dry_run}, told)


def _present(tool: Tool, kind: str, /) -> set[tuple[str, str]]:
    """What is there of a kind; asked once for each kind."""
    known: dict[str, set[tuple[str, str]]] = click.get_current_context().meta.setdefault(__name__, {})
    if kind not in known:
        rows = tool.client.items(f"/{kind}s")
        known[kind] = {Definition(kind, row).key for row in rows if kind != "subscription" or row["durable"]}
    return known[kind]


def _make(tool: Tool, one: Definition) -> None:
    if one.kind == "subscription":
        tool.client.post("/subscriptions", one.row)
        return
    tool.client.post(f"/{one.kind}s", {"name": one.row["name"]})
    if one.row.get("paused"):
        tool.client.post(f"{path_of(one.kind, one.row['name'])}/pause")


@import_group.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--to", "queue", metavar="QUEUE", help="Into this queue.  [default: the one it was exported from]")
@click.option("--skip", type=click.IntRange(0), default=0, help="Leave out so many: to go on after an interruption.")
@_DRY_RUN
@output_options
@pass_tool
def messages(tool: Tool, /, out: Output, file: IO[str], queue: str | None, skip: int, dry_run: bool) -> None:
    """Send the messages of a file; each is on disk before the next one is sent.

    They get new ids and a new sending time.  Those that have expired are left out.  Repeating it sends them again:
    after an interruption, go on with the --skip that is said then.

    \b
    Examples:
      rmimom-admin import messages orders.jsonl
      rmimom-admin import messages orders.jsonl --to orders.again --skip 1200
    """
    lines = _text(file).splitlines()
    found = list(read_messages(lines))
    if not lines:
        raise Failure("the file is empty", AWAY)
    name = queue or _queue_of(lines[0])
    sent = expired = 0
    with progress(f"importing into {name}", max(0, len(found) - skip)) as step:
        for number, line in found[skip:]:
            order = order_of(line, round(time.time() * 1000))
            if order is None:
                expired += 1
            else:
                if not dry_run:
                    _send(tool, name, order, number)
                sent += 1
            step()
    told = f"{'would send' if dry_run else 'sent'} {count(sent, 'message')} to {name}"
    if expired:
        told += f"; {count(expired, 'message')} had expired"
    out.done({"queue": name, "sent": sent, "expired": expired, "skipped": skip, "dry_run": dry_run}, told)


def _queue_of(line: str) -> str:
    import json

    name = json.loads(line).get("queue")
    if not isinstance(name, str) or not name:
        raise Failure("the file does not say which queue it is of: add --to QUEUE", AWAY)
    return name


def _send(tool: Tool, queue: str, order: dict[str, Any], number: int) -> None:
    try:
        tool.client.post(f"{path_of('queue', queue)}/messages", order)
    except Failure as failure:
        rest = f"message {number}: {failure.message}; {number - 1} are there, go on with --skip {number - 1}"
        raise Failure(rest, failure.exit_code, failure.code, failure.facts) from failure
    except KeyboardInterrupt:
        raise Failure(f"interrupted at message {number}: look whether it is there, then go on with --skip", 1) from None


def _text(file: IO[str]) -> str:
    try:
        return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {getattr(file, 'name', 'the file')}: {error}", AWAY) from error
