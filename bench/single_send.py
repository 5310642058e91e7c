"""One confirmed durable send at a time, and the latency from send to receipt at a steady 300 messages a second.

python -m bench.single_send [--messages N] [--seconds N] [--json]
"""

from __future__ import annotations

import os
import statistics
import time

from bench.baseline import BODY, raw_commit, raw_rate
from bench.report import Figure, report
from bench.scene import Pipe, Worker, scene

RATE = 300


def produce(pipe: Pipe, nameserver: str, messages: int, seconds: int) -> None:
    """Send one at a time, as fast as confirmations come; then at RATE a second, each with its time of sending."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("single"))
        sender.send(body)
        pipe.send("ready")
        pipe.recv()
        began = time.perf_counter()
        for _ in range(messages):
            sender.send(body)
        pipe.send(messages / (time.perf_counter() - began))
        pipe.recv()
        timed = session.create_sender(session.queue("timed"))
        start = time.perf_counter()
        for number in range(seconds * RATE):
            delay = start + number / RATE - time.perf_counter()
            if delay > 0:
                time.sleep(delay)
            timed.send(body, properties={"sent": time.time_ns()})
        pipe.send("done")


def consume(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Note how long each timed message took."""
    from rmimom import ConnectionFactory

    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        receiver = session.create_receiver(session.queue("timed"))
        pipe.send("ready")
        took: list[float] = []
        for _ in range(messages):
            message = receiver.receive(timeout=60)
            assert message is not None
            took.append((time.time_ns() - int(str(message.properties["sent"]))) / 1e6)
        pipe.send(took)


def measure(messages: int, seconds: int) -> list[Figure]:
    """Sends a second beside raw single-row commits; milliseconds from send to receipt."""
    before = raw_rate(3_000, 1)
    with scene() as made:
        producer = Worker(produce, made.nameserver, messages, seconds)
        producer.hear()
        producer.say("go")
        rate = producer.hear()
        after = raw_rate(3_000, 1)
        consumer = Worker(consume, made.nameserver, seconds * RATE)
        consumer.hear()
        producer.say("go")
        took = sorted(consumer.hear())
        producer.end()
        consumer.end()
    rested = raw_commit(1_000, 1 / rate)
    baseline = (before + after) / 2
    return [
        Figure("one confirmed send at a time", rate, "messages/s", rate / baseline, "raw SQLite, 1 a row", 0.35),
        Figure("raw SQLite, 1 a row", baseline, "commits/s"),
        Figure("the same, with pauses as long as a send takes", 1 / rested, "commits/s of its own time"),
        Figure(f"latency at {RATE} messages/s, p50", statistics.median(took), "ms"),
        Figure(f"latency at {RATE} messages/s, p99", took[int(len(took) * 0.99)], "ms"),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=5_000, seconds=10)
