"""Transactions of 100 sends each, and of one, beside raw SQLite with as many rows in each of its transactions.

python -m bench.transactions [--messages N] [--json]
"""

from __future__ import annotations

import os
import time

from bench.baseline import BODY, raw_rate
from bench.report import Figure, report
from bench.scene import Pipe, Worker, scene

LARGE = 100
"""Sends in a large transaction."""
SMALL_SHARE = 50
"""Transactions of one send take so much longer that there are so many times fewer messages in them."""


def produce(pipe: Pipe, nameserver: str, messages: int, a_transaction: int) -> None:
    """Send so many messages in transactions, one after the other; say how long it took."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session(transacted=True)
        sender = session.create_sender(session.queue("bench"))
        pipe.send("ready")
        pipe.recv()
        began, used = time.perf_counter(), time.process_time()
        for _ in range(messages // a_transaction):
            for _ in range(a_transaction):
                sender.send(body)
            session.commit()
        pipe.send((time.perf_counter() - began, time.process_time() - used))


def _figures(messages: int, a_transaction: int) -> list[Figure]:
    before = raw_rate(messages, a_transaction)
    with scene() as made:
        producer = Worker(produce, made.nameserver, messages, a_transaction)
        producer.hear()
        used = made.processor_seconds
        producer.say("go")
        took, spent = producer.hear()
        used = made.processor_seconds - used
        producer.end()
    baseline = (before + raw_rate(messages, a_transaction)) / 2
    rate = messages / took
    return [
        Figure(f"transactions of {a_transaction}", rate, "messages/s", rate / baseline, "raw SQLite, as many rows"),
        Figure("server", used / messages * 1e6, "us processor time a message"),
        Figure("producer", spent / messages * 1e6, "us processor time a message"),
    ]


def measure(messages: int) -> list[Figure]:
    """Messages a second, large transactions and small ones."""
    return _figures(messages, LARGE) + _figures(messages // SMALL_SHARE, 1)


if __name__ == "__main__":
    report(__doc__, measure, messages=50_000)
