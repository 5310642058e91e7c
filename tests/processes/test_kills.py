"""A server that is killed again and again under load, and what its clients saw, judged by the checkers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from support.checkers import (
    check_acknowledged,
    check_duplicates,
    check_durable_subscriptions,
    check_order,
    check_redelivery,
    check_total_queue,
)
from support.history import INFO, INVOKE, OK, Event, History, excerpt
from support.processes import TIME_LIMIT, ServerProcess, start_name_server, start_server, wait_for

from rmimom import AcknowledgeMode, Connection, ConnectionFactory, Message
from rmimom.client.consumer import Consumer
from rmimom.client.producer import Producer

KILLS = 3
BETWEEN_KILLS = 150
"""Confirmed sends of every producer from one kill to the next."""
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
        self.history.append(Event(time.time_ns() // 1_000_000, process, type, op, **facts))  # type: ignore[arg-type]

    def connect(self, client_id: str = "") -> Connection:
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


def receiver(connection: Connection) -> Consumer:
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    return session.create_receiver(session.queue("work"), prefetch=20)


def archive(connection: Connection) -> Consumer:
    session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    return session.create_subscriber(session.topic("news"), durable="archive", prefetch=20)


def pending(server: ServerProcess) -> int:
    with server.administration() as administration:
        return int(administration.status()["pending"])


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_nothing_confirmed_is_lost_and_nothing_acknowledged_comes_again(delivery: str, tmp_path: Path) -> None:
    producers = {"a": WORK, "b": WORK, "c": NEWS}
    with start_name_server() as names, ThreadPoolExecutor(8) as pool, ExitStack() as servers:

        def start() -> ServerProcess:
            return servers.enter_context(start_server(tmp_path / "data", nameserver=names.location))

        server = start()
        witness = Witness(ConnectionFactory(names.location), delivery)
        with witness.connect("d") as connection:
            archive(connection).close()
        witness.note("d", INVOKE, "subscribe", place=ARCHIVE, destination=NEWS)
        witness.note("d", OK, "subscribe", place=ARCHIVE, destination=NEWS)
        producing = [pool.submit(witness.produce, name, place) for name, place in producers.items()]
        consuming = [pool.submit(witness.consume, name, WORK, receiver) for name in ("x", "y")]
        consuming.append(pool.submit(witness.consume, "d", ARCHIVE, archive))
        try:
            for kill in range(1, KILLS + 1):
                enough = kill * BETWEEN_KILLS
                wait_for(partial(witness.has_confirmed, producers, enough), "confirmed sends")
                server.kill()
                witness.note("server", INFO, "fault", value="crash")
                server = start()
            witness.killing_is_over.set()
            for future in producing:
                future.result(TIME_LIMIT)
            wait_for(lambda: pending(server) == 0, "end of the work")
        finally:
            witness.killing_is_over.set()
            witness.all_is_done.set()
        for future in consuming:
            future.result(TIME_LIMIT)
    for check in CHECKS:
        verdict = check(witness.history)
        assert verdict.valid, "\n".join([*verdict.findings[:5], *excerpt(witness.history, verdict.values)])
