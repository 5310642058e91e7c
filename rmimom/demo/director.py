"""The demonstration from beginning to end.

A week of reports is published, each to the topic of its network.  The archive has durable subscriptions and goes
offline after a quarter of the stream; half-way the active server is killed with SIGKILL, and its standby takes over;
after three quarters the archive comes back.  A desk chooses the strong earthquakes with a selector and passes them on
in transactions, each to a queue of work and to a journal.  Two workers compete for the work.  They fail on reports
with a tsunami message, which become dead letters; when all is published they are replaced by repaired ones, and the
dead letters are sent back.  At the end everything must be there, and nothing twice.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.queues import Queue as ReportQueue
from pathlib import Path

from rmimom.admin.failure import Failure
from rmimom.client.factory import ConnectionFactory
from rmimom.client.session import Session
from rmimom.demo import processes
from rmimom.demo.actors import JOURNAL, STRONG_QUAKES, Actor, Report, archive, pass_on, quiet, work
from rmimom.demo.outcome import Outcome
from rmimom.demo.quakes import read_quakes
from rmimom.demo.servers import Alone, Pair, Servers
from rmimom.demo.tally import Row, Tally, made_row
from rmimom.errors import ConnectionFailedError, InvalidDestinationError

ARCHIVE = "archive"
DESK = "desk"
WORKERS = ["worker A", "worker B"]
DEAD_LETTERS = f"DLQ.{STRONG_QUAKES}"
DEAD_LETTERS_PATH = f"/queues/{DEAD_LETTERS}"
SETTLE_LIMIT = 60.0
"""Seconds after the last publish, or the retry, within which everything must have arrived."""
LINGER = 1.0
"""Seconds to wait for duplicates once everything has arrived."""


class Director:
    """Runs the demonstration; `watch(what, tally)` is told of every step.

    `speed` is how many times faster than it happened the week is replayed, 0 for as fast as possible.  Without
    `failover` there is no standby: the server is started again on its data.
    """

    def __init__(self, speed: float, watch: Callable[[str, Tally], None], *, failover: bool = True) -> None:
        self._speed = speed
        self._servers: type[Servers] = Pair if failover else Alone
        self._watch = watch
        self._tally = Tally()
        self._reports: ReportQueue[Report] = multiprocessing.get_context("spawn").Queue()
        self._online = threading.Semaphore(0)
        self._quakes = read_quakes()
        self._strong = sum(quake.strong for quake, _ in self._quakes)
        self._poisonous = sum(quake.poisonous for quake, _ in self._quakes)
        self._killed_at = 0.0
        self._pause = 0.0

    def run(self) -> Outcome:
        """Play it; returns what came of it."""
        quiet()
        with tempfile.TemporaryDirectory(prefix="rmimom-demo-") as name:
            directory = Path(name)
            name_server, nameserver = processes.start_name_server(directory)
            servers = self._servers(directory, nameserver, self._step)
            try:
                self._step(f"name server at {nameserver}")
                servers.start()
                rows = self._play(servers, nameserver)
                return Outcome(servers.title, rows, self._pause, servers.who_is_active(), servers.successor.name)
            finally:
                servers.stop()
                name_server.stop()

    def _play(self, servers: Servers, nameserver: str) -> list[Row]:
        networks = sorted({quake.network for quake, _ in self._quakes})
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        keeper = self._start_archive(nameserver, networks)
        desk = Actor(DESK, pass_on, self._reports, nameserver)
        workers = self._start_workers(nameserver, repaired=False)
        self._wait_online(2 + len(workers))
        self._step("the archive, the desk and two workers are online")
        total = len(self._quakes)
        try:
            with ConnectionFactory(nameserver).create_connection() as connection:
                session = connection.create_session()
                publishers = {
                    network: session.create_publisher(session.topic(f"quakes.{network}")) for network in networks
                }
                for number, (quake, line) in enumerate(self._quakes):
                    if number == total // 4:
                        keeper.end()
                        self._step("the archive went offline; its messages wait for it")
                    elif number == total // 2:
                        self._killed_at = time.perf_counter()
                        servers.kill_active()
                    elif number == total * 3 // 4:
                        keeper = self._start_archive(nameserver, networks)
                        self._step("the archive comes back")
                    self._pace(number)
                    publishers[quake.network].publish(line, properties=quake.properties)
                    self._tally.published += 1
                    if self._killed_at and not self._pause:
                        self._pause = time.perf_counter() - self._killed_at
                    self._watch("", self._tally)
                self._step("everything is published; waiting for the last to arrive")
                self._settle(lambda: self._has_arrived(servers))
                self._step(f"{self._tally.dead} dead letters in {DEAD_LETTERS}: the workers fail on tsunamis")
                for worker in workers:
                    worker.end()
                workers = self._start_workers(nameserver, repaired=True)
                with servers.successor.administration() as admin:
                    self._tally.sent_back = admin.post(f"{DEAD_LETTERS_PATH}/retry", {"all": True})["done"]
                self._step("the workers are repaired and the dead letters sent back")
                self._settle(lambda: self._tally.count(*WORKERS) >= self._strong)
                time.sleep(LINGER)
                self._read_journal(session)
        finally:
            for actor in (keeper, desk, *workers):
                actor.end()
            self._reports.put(("director", "end", ""))
            listener.join(10)
        return self._rows()

    def _rows(self) -> list[Row]:
        tally, total = self._tally, len(self._quakes)
        return [
            made_row("published to the topics of the networks", tally.published, total),
            tally.row("archive (durable, offline for a while)", total, ARCHIVE),
            tally.row("chosen by the selector and passed on", self._strong, DESK),
            tally.row("in the journal, by the same commits", self._strong, JOURNAL),
            made_row("dead letters, for the workers failed", tally.dead, self._poisonous),
            made_row("sent back when they were repaired", tally.sent_back, self._poisonous),
            tally.row(f"worked by {' and '.join(WORKERS)}", self._strong, *WORKERS),
        ]

    def _start_archive(self, nameserver: str, networks: list[str]) -> Actor:
        return Actor(ARCHIVE, archive, self._reports, nameserver, networks)

    def _start_workers(self, nameserver: str, *, repaired: bool) -> list[Actor]:
        return [Actor(worker, work, self._reports, nameserver, repaired) for worker in WORKERS]

    def _read_journal(self, session: Session) -> None:
        with session.create_browser(session.queue(JOURNAL)) as entries:
            for entry in entries:
                self._tally.note(JOURNAL, str(entry.properties["id"]))

    def _pace(self, number: int) -> None:
        if self._speed and number:
            gap = (self._quakes[number][0].time - self._quakes[number - 1][0].time) / 1000 / self._speed
            if gap > 0:
                time.sleep(gap)

    def _listen(self) -> None:
        while True:
            actor, what, quake = self._reports.get()
            if what == "end":
                return
            if what == "online":
                self._online.release()
            else:
                self._tally.note(actor, quake)

    def _wait_online(self, actors: int) -> None:
        for _ in range(actors):
            if not self._online.acquire(timeout=SETTLE_LIMIT):
                raise ConnectionFailedError(f"an actor is not online after {SETTLE_LIMIT:g} s")

    def _has_arrived(self, servers: Servers) -> bool:
        """Whether every report is where it can be before the workers are repaired."""
        tally = self._tally
        try:
            with servers.successor.administration() as admin:
                tally.dead = admin.get(DEAD_LETTERS_PATH)["statistics"]["pending"]
        except Failure as failure:
            if failure.code != InvalidDestinationError.code:  # there are none yet
                raise
        worked = tally.count(*WORKERS) + tally.dead
        return tally.count(ARCHIVE) >= len(self._quakes) and tally.count(DESK) >= self._strong <= worked

    def _settle(self, arrived: Callable[[], bool]) -> None:
        """Wait until everything arrived, but not for ever: the closing table will say what is missing."""
        limit = time.monotonic() + SETTLE_LIMIT
        while time.monotonic() < limit and not arrived():
            time.sleep(0.1)
            self._watch("", self._tally)

    def _step(self, what: str) -> None:
        self._watch(what, self._tally)
