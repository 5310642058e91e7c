"""A backlog of 1 KiB messages: memory of the server for each, and the time of a restart; then idle connections.

python -m bench.backlog [--messages N] [--connections N] [--json]
"""

from __future__ import annotations

import os
import statistics
import time

from bench.baseline import BODY
from bench.report import Figure, report
from bench.scene import Scene, scene


def _fill(made: Scene, messages: int) -> None:
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(made.nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("backlog"))
        for _ in range(messages):
            sender.send_async(body)
        sender.flush(timeout=300)


def _publish_latency(made: Scene) -> float:
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    took: list[float] = []
    with ConnectionFactory(made.nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("latency"))
        for _ in range(300):
            began = time.perf_counter()
            sender.send(body)
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e3


def measure(messages: int, connections: int) -> list[Figure]:
    """Bytes a waiting message and an idle connection; seconds of a restart; milliseconds of a send."""
    from rmimom import ConnectionFactory

    figures: list[Figure] = []
    with scene() as made:
        _fill(made, 1000)
        before = made.resident_memory
        _fill(made, messages)
        grown = made.resident_memory - before
        figures.append(Figure(f"memory, {messages:,} waiting messages", grown / messages, "bytes a message", aim=300))
        made.stop_server()
        figures.append(Figure(f"restart with {messages:,} waiting messages", made.start_server(), "s"))
    with scene() as made:
        alone = _publish_latency(made)
        before = made.resident_memory
        factory = ConnectionFactory(made.nameserver)
        opened = [factory.create_connection(delivery="pull") for _ in range(connections)]
        grown = made.resident_memory - before
        beside = _publish_latency(made)
        for connection in opened:
            connection.close()
    figures += [
        Figure(f"memory, {connections:,} idle connections", grown / connections, "bytes a connection"),
        Figure("confirmed send, no other connection", alone, "ms (median)"),
        Figure(f"confirmed send beside {connections:,}", beside, "ms (median)", beside / alone, "alone"),
    ]
    return figures


if __name__ == "__main__":
    report(__doc__, measure, messages=200_000, connections=1_000)
