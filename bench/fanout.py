"""Fan-out: one publisher, a topic, ten non-durable subscribers in two processes, non-persistent messages.

python -m bench.fanout [--messages N] [--json]
"""

from __future__ import annotations

import os
import time

from bench.baseline import BODY
from bench.report import Figure, report
from bench.scene import Pipe, Worker, scene

PROCESSES = 2
SUBSCRIBERS_EACH = 5


def publish(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Publish so many messages as fast as they are confirmed."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        publisher = session.create_publisher(session.topic("fanout"))
        publisher.persistent = False
        pipe.send("ready")
        pipe.recv()
        began = time.time()
        for _ in range(messages):
            publisher.publish_async(body)
        publisher.flush(timeout=300)
        pipe.send(began)


def subscribe(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Receive every message on each of several subscribers; say when the last one came."""
    from rmimom import ConnectionFactory

    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        topic = session.topic("fanout")
        subscribers = [session.create_subscriber(topic) for _ in range(SUBSCRIBERS_EACH)]
        pipe.send("ready")
        used = time.process_time()
        left = messages
        while left:
            turn = min(left, 100)
            for subscriber in subscribers:
                for _ in range(turn):
                    if subscriber.receive(timeout=60) is None:
                        raise RuntimeError("a message did not come")
            left -= turn
        pipe.send((time.time(), time.process_time() - used))


def measure(messages: int) -> list[Figure]:
    """Deliveries a second from the first publish to the last receipt."""
    with scene() as made:
        subscribers = [Worker(subscribe, made.nameserver, messages) for _ in range(PROCESSES)]
        publisher = Worker(publish, made.nameserver, messages)
        for worker in (*subscribers, publisher):
            worker.hear()
        used = made.processor_seconds
        publisher.say("go")
        began = publisher.hear()
        heard = [worker.hear() for worker in subscribers]
        ended = max(when for when, _ in heard)
        used = made.processor_seconds - used
        for worker in (*subscribers, publisher):
            worker.end()
    deliveries = messages * PROCESSES * SUBSCRIBERS_EACH
    return [
        Figure("fan-out to 10 subscribers", deliveries / (ended - began), "deliveries/s", aim=150_000),
        Figure("server", used / deliveries * 1e6, "us processor time a delivery"),
        Figure("subscribers", sum(spent for _, spent in heard) / deliveries * 1e6, "us processor time a delivery"),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=40_000)
