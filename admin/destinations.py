"""What queues and topics have in common, and how destinations are written on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rmimom.admin.client import segment
from rmimom.admin.columns import CONSUMER, cell
from rmimom.admin.failure import AWAY, Failure
from rmimom.admin.output import Output, facts, table
from rmimom.admin.tool import Tool, confirm, count

SORTS: Final = ("pending", "held", "delayed", "consumers", "enqueued", "dequeued", "expired", "moved", "created")


def path_of(kind: str, name: str) -> str:
    """The path of a queue or topic."""
    return f"/{kind}s/{segment(name, f'the name of the {kind}')}"


def read_destination(text: str) -> tuple[str, str]:
    """Kind and name of `queue://NAME`, `topic://NAME` or, for a queue, NAME alone.  Raises Failure."""
    kind, separator, name = text.partition("://")
    if not separator:
        return "queue", text
    if kind not in {"queue", "topic"}:
        raise Failure(f"{text!r} is no destination; write queue://NAME, topic://NAME, or NAME for a queue", AWAY)
    return kind, name


def full_name(text: str) -> str:
    """The destination with its kind.  Raises Failure."""
    return "://".join(read_destination(text))


def create_all(tool: Tool, out: Output, kind: str, names: Sequence[str]) -> None:
    """Make queues or topics, and tell of each."""
    for name in names:
        done = tool.client.post(f"/{kind}s", {"name": name})
        out.done(done, f"created {kind} {name}" if done["new"] else f"{kind} {name} is there already")


def remove_all(tool: Tool, out: Output, kind: str, names: Sequence[str], *, yes: bool) -> None:
    """Delete queues or topics, after asking with the number of messages that go with them."""
    if not yes:
        pending = sum(tool.client.get(path_of(kind, name))["statistics"]["pending"] for name in names)
        what = f"{kind} {names[0]}" if len(names) == 1 else f"{len(names)} {kind}s"
        confirm(f"Delete {what} with {count(pending, 'message')}?", yes=yes)
    for name in names:
        tool.client.delete(path_of(kind, name))
        out.done({"kind": kind, "name": name, "deleted": True}, f"deleted {kind} {name}")


def destination_text(found: Mapping[str, Any]) -> str:
    """A queue or topic as a whole, for people."""
    counters = found["statistics"]
    text = facts(
        [
            (counters["kind"], counters["name"]),
            ("created", f"{cell(counters['created'], 'time')} UTC"),
            ("state", "paused" if counters["paused"] else "temporary" if counters["temporary"] else ""),
            ("subscriptions", counters["subscriptions"] if counters["kind"] == "topic" else None),
            *((key, counters[key]) for key in ("pending", "held", "delayed", "consumers")),
            *((key, counters[key]) for key in ("enqueued", "dequeued", "expired", "moved")),
            ("dead letters go to", found["dead_letter_queue"]),
            ("expired ones go to", found["expiry_queue"]),
        ]
    )
    return f"{text}\n\n{table(found['consumers'], CONSUMER)}" if found["consumers"] else text
