"""Those who receive and pass on, each in a process of its own that reports every message to the director.

A report is a tuple: (actor, what, id of the earthquake).
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue as ReportQueue
from multiprocessing.synchronize import Event
from typing import TypeAlias

from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import AcknowledgeMode
from rmimom.demo.quakes import SELECTOR
from rmimom.errors import TransactionRolledBackError
from rmimom.message import Message

Report: TypeAlias = tuple[str, str, str]
STRONG_QUAKES = "strong-quakes"
JOURNAL = "journal"
"""Two queues; what the desk passes on goes to both."""
WAIT = 0.2
"""Seconds between looks at whether the director wants an actor to end."""


class Actor:
    """A process that receives until it is told to end."""

    def __init__(self, name: str, play: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._end = context.Event()
        self._process: SpawnProcess = context.Process(target=play, args=(name, self._end, *arguments), name=name)
        self._process.start()

    def end(self, limit: float = 30.0) -> None:
        """Let it finish what it has under way and wait for its end."""
        self._end.set()
        self._process.join(limit)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self._process.exitcode not in {0, None}


def archive(name: str, end: Event, reports: ReportQueue[Report], nameserver: str, networks: Sequence[str]) -> None:
    """Keep everything: a durable subscription on the topic of each network."""
    quiet()

    def keep(message: Message) -> None:
        reports.put((name, "got", str(message.properties["id"])))

    with ConnectionFactory(nameserver).create_connection(client_id="archive") as connection:
        session = connection.create_session()
        for network in networks:
            subscriber = session.create_subscriber(session.topic(f"quakes.{network}"), durable=f"archive.{network}")
            subscriber.attach(keep)
        reports.put((name, "online", ""))
        while not end.wait(WAIT):
            pass


def pass_on(name: str, end: Event, reports: ReportQueue[Report], nameserver: str) -> None:
    """Choose strong earthquakes with a selector; each becomes work and an entry in the journal, in one transaction."""
    quiet()
    with ConnectionFactory(nameserver).create_connection(client_id="desk") as connection:
        session = connection.create_session(transacted=True)
        everywhere = session.create_subscriber(session.topic("quakes.>"), durable="strong", selector=SELECTOR)
        work_queue = session.create_sender(session.queue(STRONG_QUAKES))
        journal = session.create_sender(session.queue(JOURNAL))
        reports.put((name, "online", ""))
        while not end.is_set():
            message = everywhere.receive(timeout=WAIT)
            if message is None:
                continue
            quake, tsunami = str(message.properties["id"]), message.properties["tsunami"]
            work_queue.send(message.body, properties={"id": quake, "tsunami": tsunami}, priority=7)
            journal.send(f"passed on {quake}", properties={"id": quake})
            try:
                session.commit()
            except TransactionRolledBackError:
                continue  # nothing was done; the report comes again
            reports.put((name, "got", quake))


def work(name: str, end: Event, reports: ReportQueue[Report], nameserver: str, repaired: bool) -> None:
    """Take strong earthquakes from the queue, one after the other, and acknowledge each when it is worked.

    Until it is `repaired` this program fails on those with a tsunami message.
    """
    quiet()
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
        receiver = session.create_receiver(session.queue(STRONG_QUAKES), prefetch=5)
        reports.put((name, "online", ""))
        while not end.is_set():
            message = receiver.receive(timeout=WAIT)
            if message is None:
                continue
            if message.properties["tsunami"] and not repaired:
                message.nack("no plan for a tsunami")
                continue
            reports.put((name, "got", str(message.properties["id"])))
            message.acknowledge()


def quiet() -> None:
    """Keep the clients' logs out of the view."""
    # The server is killed on purpose; that its clients notice is no news.
    logging.getLogger("Pyro5").setLevel(logging.CRITICAL)
    logging.getLogger("rmimom").setLevel(logging.ERROR)
