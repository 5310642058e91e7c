"""Metrics in the text format of Prometheus (0.0.4).  Counters begin anew when a server becomes active."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from rmimom.core.statistics import DestinationStatistics
from rmimom.engine import EngineStatistics
from rmimom.listeners.http.readings import read_destinations
from rmimom.listeners.http.status import process_memory
from rmimom.listeners.http.view import ServerView
from rmimom.store.base import StoreStatistics

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Labels: TypeAlias = dict[str, str]


class _Metric(NamedTuple):
    name: str
    kind: str
    help: str


class _Writer:
    def __init__(self) -> None:
        self._lines: list[str] = []

    def put(self, metric: _Metric, samples: Iterable[tuple[_Labels, float]]) -> None:
        lines = [f"rmimom_{metric.name}{_labels(labels)} {value:.15g}" for labels, value in samples]
        if lines:
            self._lines += [f"# HELP rmimom_{metric.name} {metric.help}", f"# TYPE rmimom_{metric.name} {metric.kind}"]
            self._lines += lines

    def one(self, name: str, kind: str, help_text: str, value: float, **labels: str) -> None:
        self.put(_Metric(name, kind, help_text), [(labels, value)])

    def text(self) -> str:
        return "\n".join([*self._lines, ""])


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


_DESTINATION: Final[Sequence[tuple[_Metric, Callable[[DestinationStatistics], float]]]] = (
    (_Metric("destination_pending", "gauge", "Messages that are not done with."), lambda row: row.pending),
    (_Metric("destination_held", "gauge", "Messages with consumers."), lambda row: row.held),
    (_Metric("destination_delayed", "gauge", "Messages whose time has not come."), lambda row: row.delayed),
    (_Metric("destination_consumers", "gauge", "Open consumers."), lambda row: row.consumers),
    (_Metric("destination_subscriptions", "gauge", "Subscriptions of a topic."), lambda row: row.subscriptions),
    (_Metric("destination_paused", "gauge", "1 while the queue delivers nothing."), lambda row: row.paused),
    (_Metric("destination_enqueued_total", "counter", "Messages sent there."), lambda row: row.enqueued),
    (_Metric("destination_dequeued_total", "counter", "Messages acknowledged."), lambda row: row.dequeued),
    (_Metric("destination_expired_total", "counter", "Messages that expired."), lambda row: row.expired),
    (
        _Metric("destination_moved_total", "counter", "Messages that became dead letters, or were moved."),
        lambda row: row.moved,
    ),
)


async def metrics(view: ServerView) -> str:
    """All metrics; a server that is not active has those of itself alone."""
    writer = _Writer()
    facts = view.facts()
    writer.one(
        "info",
        "gauge",
        "The server.",
        1,
        version=str(facts.get("version", "")),
        server_id=str(facts.get("server_id", "")),
        cluster=str(facts.get("cluster", "")),
    )
    writer.one("active", "gauge", "1 while this server is the active one.", view.engine is not None)
    writer.one("epoch", "gauge", "The epoch in which this server is active, else 0.", _number(facts.get("epoch")))
    writer.one("uptime_seconds", "gauge", "Since the start of the process.", _number(facts.get("uptime")))
    writer.one("process_memory_bytes", "gauge", "Memory of the process.", process_memory())
    _store(writer, await view.store())
    engine = view.engine
    if engine is None:
        return writer.text()
    state = engine.broker.state
    _engine(writer, engine.statistics())
    writer.one("connections", "gauge", "Open connections.", len(state.clients) - 2)
    writer.one("consumers", "gauge", "Open consumers.", sum(len(client.consumers) for client in state.clients.values()))
    writer.one("messages_received_total", "counter", "Messages accepted.", state.messages_in)
    writer.one("messages_acknowledged_total", "counter", "Messages acknowledged.", state.messages_out)
    writer.one("resident_bytes", "gauge", "Memory for messages that wait.", state.residence.used)
    rows = [row for row in await read_destinations(state) if not row.temporary]
    for metric, value in _DESTINATION:
        writer.put(metric, [({"kind": row.kind, "name": row.name}, value(row)) for row in rows])
    writer.put(
        _Metric("subscription_pending", "gauge", "Messages that wait for a durable subscription."),
        [
            ({"client_id": one.owner, "name": one.name, "topic": one.mailbox.origin.name}, one.mailbox.pending)
            for one in state.subscriptions.values()
        ],
    )
    return writer.text()


def _store(writer: _Writer, store: StoreStatistics | None) -> None:
    if store is not None:
        writer.one("store_messages", "gauge", "Messages stored.", store.messages)
        writer.one("store_bytes", "gauge", "Bytes that the store uses.", store.bytes_used)


def _engine(writer: _Writer, engine: EngineStatistics) -> None:
    writer.one("commands_total", "counter", "Commands decided.", engine.commands)
    writer.one("commits_total", "counter", "Commits of the store.", engine.batches)
    writer.one("records_total", "counter", "Records stored.", engine.records)
    writer.one("messages_delivered_total", "counter", "Messages handed to connections.", engine.delivered)
    writer.one("store_full", "gauge", "1 while sends are refused for want of room.", engine.full)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
