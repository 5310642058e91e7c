"""Delayed messages of 1 KiB that wait for their time: memory, sends beside them, a restart, and their coming due.

python -m bench.delayed [--messages N] [--json]

The baseline is as many messages in the same queue without a delay, in a server of its own.
"""

from __future__ import annotations

import os
import statistics
import time

from bench.baseline import BODY
from bench.report import Figure, report
from bench.scene import Scene, scene

LEAST_WAIT = 20.0
"""Seconds until the delayed messages are due, at least: time for all that is measured before."""
A_SECOND = 5_000
"""Messages that are stored in a second on a slow machine."""
SENDS = 300


def _fill(made: Scene, messages: int, due: float) -> None:
    """Send messages that are all due at the same time, or at once if that is over."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(made.nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("later"))
        for _ in range(messages):
            sender.send_async(body, delivery_delay=max(0.0, due - time.time()))
        sender.flush(timeout=300)


def _send_beside(made: Scene) -> float:
    """Milliseconds of one confirmed send to the same queue, delayed for an hour; the median."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    took: list[float] = []
    with ConnectionFactory(made.nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("later"))
        for _ in range(SENDS):
            began = time.perf_counter()
            sender.send(body, delivery_delay=3600)
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e3


def _receive(made: Scene, messages: int, due: float) -> tuple[float, float]:
    """How late the first message came, and how long all took, in seconds from when they were due or asked for."""
    from rmimom import ConnectionFactory

    with ConnectionFactory(made.nameserver).create_connection() as connection:
        session = connection.create_session()
        due = max(time.time(), due)
        receiver = session.create_receiver(session.queue("later"))
        first = 0.0
        for _ in range(messages):
            if receiver.receive(timeout=120) is None:
                raise RuntimeError("a message did not come")
            first = first or time.time()
        return first - due, time.time() - due


def _run(messages: int, *, delayed: bool) -> dict[str, float]:
    with scene() as made:
        alone = _send_beside(made)
        _fill(made, 1000, 0)
        before = made.resident_memory
        due = time.time() + LEAST_WAIT + messages / A_SECOND if delayed else 0.0
        _fill(made, messages, due)
        memory = (made.resident_memory - before) / messages
        beside = _send_beside(made)
        made.stop_server()
        restart = made.start_server()
        if 0 < due < time.time():
            raise RuntimeError("they were due before all was measured; measure fewer")
        _receive(made, 1000, 0)
        first, last = _receive(made, messages, due)
    return {"alone": alone, "memory": memory, "beside": beside, "restart": restart, "first": first, "last": last}


def measure(messages: int) -> list[Figure]:
    """Delayed messages against messages that simply wait."""
    waiting = _run(messages, delayed=False)
    delayed = _run(messages, delayed=True)

    def figure(name: str, what: str, unit: str) -> Figure:
        return Figure(name, delayed[what], unit, delayed[what] / waiting[what], "not delayed")

    rate, plain = messages / delayed["last"], messages / waiting["last"]
    return [
        figure(f"memory, {messages:,} delayed messages", "memory", "bytes a message"),
        Figure("a send beside them", delayed["beside"], "ms (median)", delayed["beside"] / delayed["alone"], "alone"),
        figure("restart with them", "restart", "s"),
        Figure("received when due", rate, "messages/s", rate / plain, "not delayed"),
        Figure("the first one's lateness", delayed["first"] * 1e3, "ms"),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=100_000)
