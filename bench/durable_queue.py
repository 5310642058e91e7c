"""Durable queue: producer, server and consumer as three processes, every message confirmed and acknowledged.

python -m bench.durable_queue [--messages N] [--json]
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bench.baseline import BODY, raw_rate
from bench.report import Figure, report
from bench.scene import Pipe, Worker, scene

IN_FLIGHT = 500


def produce(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Send so many messages with at most IN_FLIGHT unconfirmed; say when the last is confirmed."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection(max_in_flight=IN_FLIGHT) as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("bench"))
        pipe.send("ready")
        pipe.recv()
        began, used = time.time(), time.process_time()
        for _ in range(messages):
            sender.send_async(body)
        sender.flush(timeout=300)
        pipe.send((began, time.time(), time.process_time() - used))


def consume(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Receive and acknowledge so many messages; say when the last is acknowledged."""
    from rmimom import ConnectionFactory

    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        receiver = session.create_receiver(session.queue("bench"))
        pipe.send("ready")
        used = time.process_time()
        for _ in range(messages):
            message = receiver.receive(timeout=60)
            if message is None or len(message.body) != BODY:
                raise RuntimeError(f"expected a message of {BODY} bytes, got {message!r}")
        receiver.close()
        pipe.send((time.time(), time.process_time() - used))


@dataclass(frozen=True)
class Race:
    """What came of one run: messages a second, and seconds of processor time."""

    rate: float
    confirmed: float
    server: float
    producer: float
    consumer: float


class Setting(Protocol):
    """A server that clients find at `nameserver`."""

    @property
    def nameserver(self) -> str:
        """HOST:PORT."""
        ...

    @property
    def processor_seconds(self) -> float:
        """Processor time that the server has used so far."""
        ...


def race(
    produce: Callable[..., None],
    consume: Callable[..., None],
    messages: int,
    setting: Callable[[], AbstractContextManager[Setting]] = scene,
) -> Race:
    """Producer, server and consumer from the first send to the last acknowledgement."""
    with setting() as made:
        consumer = Worker(consume, made.nameserver, messages)
        producer = Worker(produce, made.nameserver, messages)
        consumer.hear()
        producer.hear()
        server_used = made.processor_seconds
        producer.say("go")
        began, confirmed, producer_used = producer.hear()
        ended, consumer_used = consumer.hear()
        server_used = made.processor_seconds - server_used
        producer.end()
        consumer.end()
    return Race(messages / (ended - began), messages / (confirmed - began), server_used, producer_used, consumer_used)


def measure(messages: int) -> list[Figure]:
    """Messages a second from the first send to the last acknowledgement, beside raw SQLite before and after."""
    before = raw_rate(30_000, 100)
    found = race(produce, consume, messages)
    baseline = (before + raw_rate(30_000, 100)) / 2
    rate = found.rate
    return [
        Figure("durable queue, end to end", rate, "messages/s", rate / baseline, "raw SQLite, 100 a transaction", 0.30),
        Figure("durable queue, confirmed sends", found.confirmed, "messages/s"),
        Figure("raw SQLite, 100 a transaction", baseline, "rows/s"),
        Figure("server", found.server / messages * 1e6, "us processor time a message"),
        Figure("producer", found.producer / messages * 1e6, "us processor time a message"),
        Figure("consumer", found.consumer / messages * 1e6, "us processor time a message"),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=100_000)
