"""The server as a whole: how it is, how its cluster is, what it uses, and what it did in the last day."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from rmimom.engine import EngineStatistics
from rmimom.listeners.http.history import HistoryQuery, Point
from rmimom.listeners.http.operation import Call, Nothing, Operation
from rmimom.listeners.http.readings import read_destinations
from rmimom.listeners.http.warnings import Remark, disk_of, find_warnings
from rmimom.roles import ADMIN
from rmimom.store.base import StoreStatistics


class Counts(msgspec.Struct, frozen=True):
    """What the active server holds; `messages_in` and `messages_out` count since its start."""

    queues: int
    topics: int
    subscriptions: int
    connections: int
    consumers: int
    pending: int
    held: int
    delayed: int
    messages_in: int
    messages_out: int


class Status(msgspec.Struct, frozen=True):
    """The server as a whole; times in milliseconds since 1970 UTC, `uptime` in seconds.

    `active` is where the active server of the cluster is, as far as is known, and `active_http` where it serves HTTP
    for others; both are empty if that is not known.  `counts` and `engine` are null on a
    server that is not active.
    """

    version: str
    role: str
    active: str
    active_http: str
    cluster: str
    server_id: str
    epoch: int
    address: str
    data: str
    store_kind: str
    started: int
    uptime: float
    pid: int
    nameserver: str | None
    warnings: int
    counts: Counts | None
    engine: EngineStatistics | None
    facts: dict[str, Any]


class Memory(msgspec.Struct, frozen=True):
    """Memory in bytes: of the process now and at most, and for messages that wait (`resident` of `resident_limit`)."""

    process: int
    process_most: int
    resident: int
    resident_limit: int
    threads: int


class Resources(msgspec.Struct, frozen=True):
    """What the server uses; `store` is null if it cannot be asked now, the disk's figures for a store in memory.

    `open_files` counts files and connections of the process, 0 where that cannot be told; `open_files_limit` is null
    if there is no limit.
    """

    memory: Memory
    store: StoreStatistics | None
    disk_free: int | None
    disk_total: int | None
    disk_reserve: int
    open_files: int
    open_files_limit: int | None


class Cluster(msgspec.Struct, frozen=True):
    """The cluster as it looks from this server; `status` is null for a server without a name server.

    docs/http-api.md has the form of `status`.
    """

    cluster: str
    role: str
    epoch: int
    server_id: str
    active: str
    active_http: str
    registration: dict[str, Any] | None
    status: dict[str, Any] | None


class Switchover(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which standby is to become active, by its id or HOST:PORT; the first one in sync if none is named."""

    to: Annotated[str, msgspec.Meta(max_length=1000)] | None = None


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`force` has to be true: what this server lacks is lost."""

    force: bool = False


class WarningList(msgspec.Struct, frozen=True):
    """What somebody should look at, the worst first."""

    items: list[Remark]


class HistoryAnswer(msgspec.Struct, frozen=True):
    """The points of a chart, the oldest first; there are none for the time before the server was active."""

    seconds: int
    items: list[Point]


async def show_status(call: Call[Nothing, None]) -> Status:
    """Show the server as a whole."""
    view = call.view
    facts, engine = view.facts(), view.engine
    counts: Counts | None = None
    if engine is not None:
        state = engine.broker.state
        rows = await read_destinations(state)
        counts = Counts(
            queues=sum(1 for row in rows if row.kind == "queue"),
            topics=sum(1 for row in rows if row.kind == "topic"),
            subscriptions=len(state.subscriptions),
            connections=len(state.clients) - 2,
            consumers=sum(len(client.consumers) for client in state.clients.values()),
            pending=sum(row.pending for row in rows),
            held=sum(row.held for row in rows),
            delayed=sum(row.delayed for row in rows),
            messages_in=state.messages_in,
            messages_out=state.messages_out,
        )
    known = {field.name for field in msgspec.structs.fields(Status)}
    warnings = await find_warnings(view)
    return msgspec.convert(
        {
            **{name: value for name, value in facts.items() if name in known},
            "active": view.active,
            "active_http": view.active_http,
            "warnings": len(warnings),
            "counts": counts,
            "engine": engine.statistics() if engine is not None else None,
            "facts": {name: value for name, value in facts.items() if name not in known},
        },
        Status,
    )


async def show_cluster(call: Call[Nothing, None]) -> Cluster:
    """Show the cluster: who is active, in which epoch, and how the standbys keep up."""
    return _cluster(call, call.view.cluster.status() if call.view.cluster.exists else None)


def _cluster(call: Call[Any, Any], status: dict[str, object] | None) -> Cluster:
    return msgspec.convert(
        {
            **call.view.facts(),
            "active": call.view.active,
            "active_http": call.view.active_http,
            "status": status,
        },
        Cluster,
    )


async def switch_over(call: Call[Nothing, Switchover]) -> Cluster:
    """Let a standby become active; asked of the active server.

    It answers when the other server is active, or with 409 if that cannot be or takes too long.
    """
    return _cluster(call, await call.view.cluster.switch_over(call.body.to))


async def promote_server(call: Call[Nothing, Promotion]) -> Cluster:
    """Make this server active without asking any other one: for when no other will come back.

    A standby in sync takes over by itself.  What this one lacks is lost.
    """
    return _cluster(call, await call.view.cluster.promote(force=call.body.force))


async def show_resources(call: Call[Nothing, None]) -> Resources:
    """Show what the server uses of memory and disk."""
    view = call.view
    free, total = disk_of(view.config) or (None, None)
    engine = view.engine
    memory = Memory(
        process_memory(),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        engine.broker.state.residence.used if engine is not None else 0,
        view.config.resident_bytes,
        threading.active_count(),
    )
    files, files_limit = _open_files()
    return Resources(memory, await view.store(), free, total, view.config.disk_reserve, files, files_limit)


def _open_files() -> tuple[int, int | None]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        count = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        count = 0
    return count, None if limit == resource.RLIM_INFINITY else limit


def process_memory() -> int:
    """Bytes of memory that the process has now, 0 where that cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


async def list_warnings(call: Call[Nothing, None]) -> WarningList:
    """List what somebody should look at, and what to do about it."""
    return WarningList(await find_warnings(call.view))


async def show_history(call: Call[HistoryQuery, None]) -> HistoryAnswer:
    """Show what happened in the last minutes or hours, for charts."""
    query = call.query
    return HistoryAnswer(query.seconds, call.sampler.history.points(query.seconds, query.points))


OPERATIONS: Final = (
    Operation(method="GET", path="/status", handler=show_status, tag="server", answer=Status),
    Operation(method="GET", path="/cluster", handler=show_cluster, tag="server", answer=Cluster),
    Operation(
        method="POST",
        path="/cluster/switchover",
        handler=switch_over,
        tag="server",
        role=ADMIN,
        body=Switchover,
        answer=Cluster,
    ),
    Operation(
        method="POST",
        path="/cluster/promote",
        handler=promote_server,
        tag="server",
        role=ADMIN,
        body=Promotion,
        answer=Cluster,
    ),
    Operation(method="GET", path="/resources", handler=show_resources, tag="server", answer=Resources),
    Operation(method="GET", path="/warnings", handler=list_warnings, tag="server", answer=WarningList),
    Operation(
        method="GET",
        path="/history",
        handler=show_history,
        tag="server",
        query=HistoryQuery,
        answer=HistoryAnswer,
    ),
)
