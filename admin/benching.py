"""A measurement against a running server: producers and consumers as processes of their own, over the client library.

Each message carries the moment of its sending, so the latency is from the call that sends it to the moment at which
`receive` has returned it, by the clock of this machine.
"""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from rmimom.admin.failure import AWAY, Failure

PREFIX: Final = "rmimom-bench-"
QUIET: Final = 2.0
"""Seconds without a message after which a consumer has had everything, once the producers have ended."""
STARTING: Final = 60.0
"""Seconds that the processes may take until all are connected."""
_STAMP: Final = "sent_ns"
_PERCENTILES: Final = (50, 90, 99, 99.9)


class Plan(NamedTuple):
    """What is measured; `size` in bytes, `rate` in messages a second for each producer (0: as fast as it goes)."""

    uri: str
    user: str | None
    password: str | None
    kind: str
    name: str
    seconds: float
    producers: int
    consumers: int
    size: int
    rate: float
    persistent: bool
    each_confirmed: bool

    def __repr__(self) -> str:
        # A password has no place in a traceback.
        return f"Plan({self.uri!r}, {self.name!r})"


class Outcome(NamedTuple):
    """What came of it; rates in messages a second, latencies in milliseconds by percentile."""

    sent: int
    received: int
    send_rate: float
    receive_rate: float
    latency: dict[str, float]
    longest: float


class _Part(NamedTuple):
    """What one process did: how many, and from when to when."""

    number: int
    first: float
    last: float
    latencies: list[int]


def measure(plan: Plan) -> Outcome:
    """Carry it out.  Raises Failure if a process fails."""
    context = multiprocessing.get_context("spawn")
    ready, told = context.Queue(), context.Queue()
    begin, end = context.Event(), context.Event()
    roles = [*[_consume] * plan.consumers, *[_produce] * plan.producers]
    workers = [
        context.Process(target=_work, args=(role.__name__, plan, ready, told, begin, end), daemon=True)
        for role in roles
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in workers:
            _next(ready, workers, STARTING)
        begin.set()
        limit = plan.seconds + STARTING
        parts: dict[str, list[_Part]] = {"_produce": [], "_consume": []}
        for _ in range(plan.producers):
            _keep(parts, _next(told, workers, limit))
        end.set()
        for _ in range(plan.consumers):
            _keep(parts, _next(told, workers, limit))
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    return outcome_of(parts["_produce"], parts["_consume"])


def _keep(parts: dict[str, list[_Part]], found: tuple[str, Any]) -> None:
    parts[found[0]].append(_Part(*found[1]))


def _next(source: Any, workers: Sequence[Any], limit: float) -> Any:
    """What a process says next.  Raises Failure for an error of its own, or if it died."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            name, found = source.get(timeout=0.2)
        except queue.Empty:
            if any(worker.exitcode not in {None, 0} for worker in workers):
                break
            continue
        if isinstance(found, str) and name == "error":
            raise Failure(found)
        return name, found
    raise Failure("a process of the measurement did not answer in time", AWAY)


def outcome_of(producers: Sequence[_Part], consumers: Sequence[_Part]) -> Outcome:
    """The parts as one."""
    latencies = sorted(value for part in consumers for value in part.latencies)
    return Outcome(
        sum(part.number for part in producers),
        sum(part.number for part in consumers),
        _rate(producers),
        _rate(consumers),
        {f"p{share:g}": _at(latencies, share) / 1e6 for share in _PERCENTILES},
        latencies[-1] / 1e6 if latencies else 0.0,
    )


def _rate(parts: Sequence[_Part]) -> float:
    busy = [part for part in parts if part.number]
    if not busy:
        return 0.0
    seconds = max(part.last for part in busy) - min(part.first for part in busy)
    return sum(part.number for part in busy) / seconds if seconds > 0 else 0.0


def _at(ordered: Sequence[int], share: float) -> int:
    """The value below which `share` percent of the values are."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] if ordered else 0


def _work(role: str, plan: Plan, ready: Any, told: Any, begin: Any, end: Any) -> None:
    """What a process does; its error is told as text."""
    try:
        told.put((role, tuple({"_produce": _produce, "_consume": _consume}[role](plan, ready, begin, end))))
    except Exception as error:  # noqa: BLE001  # whatever it is, the process that shows it is another one
        for channel in (ready, told):
            channel.put(("error", f"{role.strip('_')}: {error}"))


def _produce(plan: Plan, ready: Any, begin: Any, end: Any) -> _Part:
    del end
    from rmimom import ConnectionFactory

    body = b"x" * plan.size
    with ConnectionFactory(uri=plan.uri).create_connection(plan.user, plan.password) as connection:
        session = connection.create_session()
        producer = session.create_producer(getattr(session, plan.kind)(plan.name))
        ready.put(("ready", None))
        begin.wait(STARTING)
        send = producer.send if plan.each_confirmed else producer.send_async
        count, first = 0, time.time()
        deadline, began = time.monotonic() + plan.seconds, time.monotonic()
        while time.monotonic() < deadline:
            if plan.rate:
                time.sleep(max(0.0, began + count / plan.rate - time.monotonic()))
            send(body, properties={_STAMP: time.time_ns()}, persistent=plan.persistent)
            count += 1
        producer.flush(timeout=STARTING)
        return _Part(count, first, time.time(), [])


def _consume(plan: Plan, ready: Any, begin: Any, end: Any) -> _Part:
    from rmimom import ConnectionFactory, Consumer

    with ConnectionFactory(uri=plan.uri).create_connection(plan.user, plan.password) as connection:
        session = connection.create_session()
        consumer: Consumer = (
            session.create_receiver(session.queue(plan.name))
            if plan.kind == "queue"
            else session.create_subscriber(session.topic(plan.name))
        )
        ready.put(("ready", None))
        begin.wait(STARTING)
        first = last = 0.0
        latencies: list[int] = []
        while True:
            message = consumer.receive(timeout=QUIET)
            if message is None:
                if end.is_set():
                    return _Part(len(latencies), first, last, latencies)
                continue
            last = time.time()
            first = first or last
            stamp = message.properties[_STAMP]
            assert isinstance(stamp, int)
            latencies.append(time.time_ns() - stamp)
