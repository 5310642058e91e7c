"""Clients that work on a server while something happens to it, and write down what they do and see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from support.processes import TIME_LIMIT, ServerProcess

from rmimom import AcknowledgeMode, Connection, ConnectionFactory, Message
from rmimom.client.consumer import Consumer
from rmimom.client.producer import Producer
from rmimom_chaos.checkers import (
    check_acknowledged,
    check_duplicates,
    check_durable_subscriptions,
    check_order,
    check_redelivery,
    check_total_queue,
)
from rmimom_chaos.history import INFO, INVOKE, OK, Event, History, excerpt

CHECKS = (
    check_total_queue,
    check_durable_subscriptions,
    check_acknowledged,
    check_duplicates,
    check_order,
    check_redelivery,
)
WORK, NEWS, ARCHIVE = "queue://work", "topic://news", "archive"


class Witness:
    """Clients that write down what they do and see."""

    def __init__(self, factory: ConnectionFactory, delivery: str) -> None:
        self.history: History = []
        self.confirmed: dict[str, int] = {}
        self.killing_is_over = threading.Event()
        self.all_is_done = threading.Event()
        self._factory = factory
        self._delivery = delivery

    def has_confirmed(self, producers: Iterable[str], enough: int) -> bool:
        """Whether every producer has so many sends confirmed."""
        return all(self.confirmed.get(name, 0) >= enough for name in producers)

    def note(self, process: str, type: str, op: str, **facts: str | int) -> None:
        """Write an event down."""
        self.history.append(Event(time.time_ns() // 1_000_000, process, type, op, **facts))  # type: ignore[arg-type]

    def connect(self, client_id: str = "") -> Connection:
        """A connection of the application."""
        return self._factory.create_connection("app", "", client_id=client_id, delivery=self._delivery)

    def produce(self, name: str, destination: str) -> None:
        """Send numbered messages, one at a time and in bunches, until the killing is over."""
        with self.connect() as connection:
            session = connection.create_session()
            kind, _, short = destination.partition("://")
            producer: Producer = session.create_producer(
                session.queue(short) if kind == "queue" else session.topic(short)
            )
            number = 0
            while not self.killing_is_over.is_set():
                bunch = [f"{name}-{number + step}" for step in range(1, 2 + number % 7)]
                number += len(bunch)
                for value in bunch:
                    self.note(name, INVOKE, "send", value=value, destination=destination)
                receipts = [producer.send_async(value) for value in bunch]
                for value, receipt in zip(bunch, receipts, strict=True):
                    receipt.result(TIME_LIMIT)
                    self.note(name, OK, "send", value=value)
                self.confirmed[name] = number

    def consume(self, name: str, place: str, open_consumer: Callable[[Connection], Consumer]) -> None:
        """Receive and acknowledge one by one until everything is acknowledged."""
        with self.connect(name) as connection, open_consumer(connection) as consumer:
            while not self.all_is_done.is_set():
                message = consumer.receive(timeout=0.1)
                if message is not None:
                    self._work_on(name, place, message)
            self.note(name, OK, "drain", place=place)

    def _work_on(self, name: str, place: str, message: Message) -> None:
        value = str(message.body)
        self.note(name, OK, "receive", value=value, place=place, consumer=name, count=message.delivery_count)
        self.note(name, INVOKE, "acknowledge", value=value, place=place, consumer=name)
        message.acknowledge()
        self.note(name, OK, "acknowledge", value=value, place=place, consumer=name)

    def judge(self) -> None:
        """AssertionError with an excerpt if a checker finds something."""
        for check in CHECKS:
            verdict = check(self.history)
            assert verdict.valid, "\n".join([*verdict.findings[:5], *excerpt(self.history, verdict.values)])

    def fault(self, kind: str) -> None:
        """Write down that a server had this happen to it."""
        self.note("server", INFO, "fault", value=kind)


def receiver(connection: Connection) -> Consumer:
    """Takes from the queue."""
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    return session.create_receiver(session.queue("work"), prefetch=20)


def archive(connection: Connection) -> Consumer:
    """The durable subscription of the topic."""
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    return session.create_subscriber(session.topic("news"), durable="archive", prefetch=20)


def pending(server: ServerProcess) -> int:
    """How many messages wait at a server."""
    with server.administration() as administration:
        return int(administration.status()["pending"])
