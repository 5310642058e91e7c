"""What somebody should look at, and what to do about it.

Each rule is a function of what can be read of the server; it yields a warning for each thing that is not as it should
be.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from rmimom.config import ServerConfig
from rmimom.config_values import format_size
from rmimom.core.statistics import DestinationStatistics, SubscriptionStatistics, read_subscriptions
from rmimom.engine import EngineStatistics
from rmimom.listeners.http.readings import count_waiting_dead, read_destinations
from rmimom.listeners.http.view import ServerView

MANY: Final = 1000
"""Messages that wait for nobody, from which on that is worth a word."""


class Remark(msgspec.Struct, frozen=True):
    """One warning; `code` is stable, `subject` is what it is about, `advice` what to do."""

    code: str
    level: Literal["error", "warning", "note"]
    subject: str
    text: str
    advice: str


class Reading(NamedTuple):
    """What the rules look at.  `dead` are queues of dead letters with what waits there."""

    config: ServerConfig
    facts: dict[str, Any]
    engine: EngineStatistics | None
    destinations: list[DestinationStatistics]
    subscriptions: list[SubscriptionStatistics]
    dead: list[tuple[str, int]]
    disk_free: int | None
    cluster: dict[str, Any] | None = None


def _disk(reading: Reading) -> Iterable[Remark]:
    if reading.engine is not None and reading.engine.full:
        yield Remark(
            "disk-full",
            "error",
            str(reading.config.data),
            "the disk is full: sends are refused, acknowledgements are still taken",
            "make room on the disk, or consume or purge messages; the server goes on by itself then",
        )
    elif reading.disk_free is not None and reading.disk_free < 4 * reading.config.disk_reserve:
        yield Remark(
            "disk-short",
            "warning",
            str(reading.config.data),
            f"only {reading.disk_free // 2**20} MiB are free on the disk; "
            f"below {format_size(reading.config.disk_reserve)} sends are refused",
            "make room on the disk, or move the data directory to a larger one",
        )


def _dead_letters(reading: Reading) -> Iterable[Remark]:
    for queue, count in reading.dead:
        if count:
            yield Remark(
                "dead-letters",
                "warning",
                f"queue://{queue}",
                f"{count} messages wait among the dead letters",
                "look at their reasons; then send them back (retry), or remove them",
            )


def _nobody_consumes(reading: Reading) -> Iterable[Remark]:
    dead = {queue for queue, _ in reading.dead}
    for row in reading.destinations:
        if row.kind != "queue" or row.name in dead:
            continue
        waiting = row.pending - row.delayed
        if row.paused and waiting:
            yield Remark(
                "paused",
                "note",
                f"queue://{row.name}",
                f"the queue is paused, and {waiting} messages wait",
                "resume it when its consumers may go on",
            )
        elif waiting >= MANY and not row.consumers:
            yield Remark(
                "no-consumer",
                "warning",
                f"queue://{row.name}",
                f"{waiting} messages wait, and nobody consumes them",
                "start a consumer, or purge the queue if nobody needs them",
            )


def _offline(reading: Reading) -> Iterable[Remark]:
    for row in reading.subscriptions:
        if not row.active and row.pending >= MANY:
            yield Remark(
                "offline-subscription",
                "warning",
                f"{row.client_id}/{row.name}",
                f"the durable subscription of {row.topic} is offline, and {row.pending} messages wait for it",
                "start its subscriber, or delete the subscription if nobody will come",
            )


def _names(reading: Reading) -> Iterable[Remark]:
    registration = reading.facts.get("registration") or {}
    if registration.get("trouble"):
        yield Remark(
            "name-server",
            "warning",
            str(registration.get("nameserver", "")),
            f"the names cannot be registered: {registration['trouble']}",
            "see that the name server runs and can be reached; until then clients need the server's address",
        )


def _standby(reading: Reading) -> Iterable[Remark]:
    cluster = reading.cluster or {}
    if cluster.get("refusal"):
        yield Remark(
            "cluster",
            "error",
            str(cluster.get("cluster", "")),
            f"this server cannot take its place in the cluster: {cluster['refusal']}",
            "see the server's log and docs/design/0012",
        )
    for server in cluster.get("servers") or ():
        if server["role"] == "standby" and not server["in_sync"]:
            yield Remark(
                "standby-behind",
                "warning",
                str(server["address"] or server["server_id"]),
                "a standby does not have everything, so it would not take over",
                "see that it runs and can be reached; it catches up by itself",
            )


_Rule: TypeAlias = Callable[[Reading], Iterable[Remark]]
_RULES: Final[tuple[_Rule, ...]] = (_disk, _standby, _dead_letters, _nobody_consumes, _offline, _names)
_LEVELS: Final = {"error": 0, "warning": 1, "note": 2}
MOST: Final = 200
"""Warnings that are told at most."""


def judge(reading: Reading) -> list[Remark]:
    """All warnings, the worst first."""
    found = [warning for rule in _RULES for warning in rule(reading)]
    return sorted(found, key=lambda warning: _LEVELS[warning.level])[:MOST]


def disk_of(config: ServerConfig) -> tuple[int, int] | None:
    """Free and total bytes of the disk with the data, None for a store in memory."""
    if config.store == "memory":
        return None
    usage = shutil.disk_usage(config.data)
    return usage.free, usage.total


async def find_warnings(view: ServerView) -> list[Remark]:
    """Read the server and judge."""
    engine = view.engine
    disk = disk_of(view.config)
    free = disk[0] if disk is not None else None
    cluster = view.cluster.status() if view.cluster.exists else None
    if engine is None:
        return judge(Reading(view.config, view.facts(), None, [], [], [], free, cluster))
    state = engine.broker.state
    return judge(
        Reading(
            view.config,
            view.facts(),
            engine.statistics(),
            await read_destinations(state),
            read_subscriptions(state),
            await count_waiting_dead(state),
            free,
            cluster,
        )
    )
