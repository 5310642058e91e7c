"""What tables show: which facts, under which title, and how a value is written for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from rmimom.admin.failure import harmless

Form: TypeAlias = Literal["text", "number", "plain", "time", "bytes", "seconds", "seen"]


class Column(NamedTuple):
    """One column: where the value is (`a.b` is b within a), its title (the key if it is empty), and its form.

    Forms: text; number; plain, a number without marks between thousands, such as an id; time, milliseconds since 1970;
    bytes; seconds; seen, a column that is left out if there is nothing in it.
    """

    key: str
    title: str = ""
    form: Form = "text"

    @property
    def name(self) -> str:
        """What stands above it."""
        return self.title or self.key.rpartition(".")[2].replace("_", " ")

    @property
    def right(self) -> bool:
        """Whether it is set against the right edge."""
        return self.form in {"number", "plain", "bytes", "seconds"}


def columns(*keys: str | Column) -> tuple[Column, ...]:
    """Columns; a text `key`, or `key:form`."""
    made: list[Column] = []
    for key in keys:
        if isinstance(key, Column):
            made.append(key)
        else:
            name, _, form = key.partition(":")
            made.append(Column(name, "", form or "text"))  # type: ignore[arg-type]  # the tables below are right, or fail at once
    return tuple(made)


def value_of(row: Mapping[str, Any], key: str) -> Any:
    """The value at a key; None if it is not there."""
    found: Any = row
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def cell(value: Any, form: Form = "text") -> str:
    """A value for people, in one line and harmless to a terminal."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if form == "time":
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}" if value else ""
    if form == "bytes":
        return size_text(value)
    if form == "seconds":
        return str(timedelta(seconds=round(value)))
    if form == "plain":
        return harmless(str(value))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping | list):
        import json

        return harmless(json.dumps(value, ensure_ascii=False))
    return harmless(str(value))


def size_text(value: float) -> str:
    """Bytes as people read them."""
    if value < 10_000:
        return f"{value:,} B"
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1000:
            return f"{value:,.1f} {unit}"
    return f"{value / 1024:,.1f} TiB"


def shown(wanted: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns without those that are left out."""
    return [one for one in wanted if one.form != "seen" or any(value_of(row, one.key) for row in rows)]


DESTINATION: Final = columns(
    "name",
    *(f"{key}:number" for key in ("pending", "held", "delayed", "consumers", "enqueued", "dequeued", "expired")),
    "moved:number",
    "paused:seen",
    "temporary:seen",
)
TOPIC: Final = columns(
    "name",
    "subscriptions:number",
    *(f"{key}:number" for key in ("consumers", "pending", "held", "delayed", "enqueued", "dequeued", "expired")),
    "moved:number",
    "temporary:seen",
)
SUBSCRIPTION: Final = columns(
    "id:plain",
    "client_id",
    "name",
    "topic",
    "durable",
    "active",
    *(f"{key}:number" for key in ("consumers", "pending", "held", "enqueued", "dequeued")),
    "selector:seen",
)
CONNECTION: Final = columns(
    "id",
    "user",
    "client_id",
    "protocol",
    "address",
    Column("since", "since (UTC)", "time"),
    "consumers:number",
    "held:number",
)
CONSUMER: Final = columns(
    "connection",
    "number:plain",
    "user",
    "client_id",
    "destination",
    "subscription:seen",
    "selector:seen",
    "prefetch:number",
    "held:number",
    "held_bytes:bytes",
)
MESSAGE: Final = columns(
    "id:plain",
    Column("timestamp", "sent (UTC)", "time"),
    "kind",
    "priority:plain",
    "deliveries:number",
    "size:bytes",
    "correlation_id:seen",
    "type:seen",
    "preview",
)
DEAD_LETTER: Final = columns(
    "id:plain",
    Column("dead_letter.original_destination", "sent to"),
    Column("dead_letter.failures", "", "number"),
    Column("dead_letter.dead_at", "dead since (UTC)", "time"),
    Column("dead_letter.reason"),
    "preview",
)
DEAD_LETTER_QUEUE: Final = columns("name", "pending:number")
SCHEDULED: Final = columns(
    "id:plain",
    "destination",
    Column("next_time", "next time (UTC)", "time"),
    "sent:number",
    "cron:seen",
    "delay:seen",
    "period:seen",
    "repeat:seen",
    "size:bytes",
)
DELAYED: Final = columns(
    "id:plain", "destination", Column("due", "due (UTC)", "time"), "priority:plain", "size:bytes", "subscription:seen"
)
SERVER: Final = columns(
    "server_id", "address", "role", "in_sync", "phase", "behind:number", "copied:seen", "to_copy:seen"
)
WHEREABOUTS: Final = columns(
    "destination",
    "subscription:seen",
    "subscription_name:seen",
    "state",
    "deliveries:number",
    "user:seen",
    "client_id:seen",
    "connection:seen",
)
EVENT: Final = columns("at:time", "epoch:plain", "sequence:plain", "what", "where", "to", "reason:seen")
USER: Final = columns("name", "role")
CONTEXT: Final = columns("name", "current", "urls", "data:seen", "user", "password_file")
REMARK: Final = columns("level", "code", "subject", "text", "advice")
EXAMINED: Final = columns("subject", "health", "text", "advice")
EXPLANATION: Final = columns("code", "meaning", "advice")
