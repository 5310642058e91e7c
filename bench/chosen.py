"""100 subscribers of one topic with 10 distinct selectors, end to end, beside as many deliveries without selectors.

python -m bench.chosen [--messages N] [--json]

A message with magnitude n is taken by the subscribers of n + 1 selectors: 55 deliveries a message on average.
"""

from __future__ import annotations

import os
import time

from bench.baseline import BODY
from bench.report import Figure, report
from bench.scene import Pipe, Worker, scene
from rmimom.commands import Connect, Send, Subscribe
from rmimom.core.broker import Broker
from rmimom.core.state import Rules
from rmimom.destination import Topic
from rmimom.frame import BYTES, encode
from rmimom.outgoing import make_frame
from rmimom.selector import Selector
from rmimom.values import encode_properties

PROCESSES = 2
SUBSCRIBERS_EACH = 50
SELECTORS = 10
TAKEN = 55
"""Deliveries of a message, on average; without selectors so many subscribers get all."""


def text_of(number: int) -> str:
    """The selector of a subscriber."""
    return f"magnitude >= {number % SELECTORS} AND type = 'earthquake'"


def publish(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Publish messages of every magnitude in turn."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    properties = [{"magnitude": number + 0.5, "type": "earthquake"} for number in range(SELECTORS)]
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        publisher = session.create_publisher(session.topic("quakes"))
        publisher.persistent = False
        pipe.send("ready")
        pipe.recv()
        began = time.time()
        for number in range(messages):
            publisher.publish_async(body, properties=properties[number % SELECTORS])
        publisher.flush(timeout=300)
        pipe.send(began)


def subscribe(pipe: Pipe, nameserver: str, messages: int, share: range, chooses: bool) -> None:
    """Receive on many subscribers what their selectors take; say when the last one came."""
    from rmimom import ConnectionFactory

    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        topic = session.topic("quakes")
        expected = [
            (
                session.create_subscriber(topic, selector=text_of(number) if chooses else None),
                SELECTORS - number % SELECTORS if chooses else SELECTORS,
            )
            for number in share
        ]
        pipe.send("ready")
        for _ in range(messages // SELECTORS):
            for subscriber, count in expected:
                for _ in range(count):
                    if subscriber.receive(timeout=60) is None:
                        raise RuntimeError("a message did not come")
        pipe.send(time.time())


def _rate(messages: int, *, chooses: bool) -> tuple[float, float]:
    """Deliveries a second, and the server's processor time for each in microseconds."""
    each = SUBSCRIBERS_EACH if chooses else TAKEN // PROCESSES
    total = messages * TAKEN if chooses else messages * each * PROCESSES
    with scene() as made:
        workers = [
            Worker(subscribe, made.nameserver, messages, range(first * each, (first + 1) * each), chooses)
            for first in range(PROCESSES)
        ]
        publisher = Worker(publish, made.nameserver, messages)
        for worker in (*workers, publisher):
            worker.hear()
        used = made.processor_seconds
        publisher.say("go")
        began = publisher.hear()
        ended = max(worker.hear() for worker in workers)
        used = made.processor_seconds - used
        for worker in (*workers, publisher):
            worker.end()
    return total / (ended - began), used / total * 1e6


def evaluations(messages: int) -> float:
    """How often the core asks a selector for each message, with the same subscribers."""
    broker = Broker(Rules())
    topic = Topic("quakes")
    asked = 0

    def counted(selector: Selector) -> Selector:
        matches = selector.matches

        def count(values: object) -> bool:
            nonlocal asked
            asked += 1
            return matches(values)  # type: ignore[arg-type]

        # A selector does not change; this one lives for this count only.
        object.__setattr__(selector, "matches", count)
        return selector

    kept = [counted(Selector(text_of(number))) for number in range(SELECTORS)]  # while they live they are used
    broker.handle(Connect("c", ""), 1)
    for number in range(PROCESSES * SUBSCRIBERS_EACH):
        broker.handle(Subscribe("c", number + 1, topic, selector=text_of(number)), 1)
    for number in range(messages):
        properties = encode_properties({"magnitude": number % SELECTORS + 0.5, "type": "earthquake"})
        frame = encode(make_frame(str(topic), f"ID:{number}", 1, BYTES, os.urandom(BODY), properties=properties))
        broker.handle(Send("c", "", 0, topic, [frame]), 1)
    del kept
    return asked / messages


def measure(messages: int) -> list[Figure]:
    """Deliveries a second with selectors and without, and evaluations of a message."""
    messages -= messages % SELECTORS
    plain, plain_cost = _rate(messages, chooses=False)
    chosen, chosen_cost = _rate(messages, chooses=True)
    return [
        Figure("100 subscribers, 10 distinct selectors", chosen, "deliveries/s", chosen / plain, "without selectors"),
        Figure("server", chosen_cost, "us processor time a delivery", chosen_cost / plain_cost, "without selectors"),
        Figure("selectors asked", evaluations(100), "evaluations a message", aim=SELECTORS),
    ]


if __name__ == "__main__":
    report(__doc__, measure, messages=5_000)
