"""The demonstration from beginning to end.

A week of reports is published: each to the topic of its network, strong ones also to a queue.  The archive has durable
subscriptions and goes offline after a quarter of the stream; half-way the server is killed with SIGKILL and started
again; after three quarters the archive comes back.  Two workers compete for the queue all the time.  At the end
everything must be there, and nothing twice.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.queues import Queue as ReportQueue
from pathlib import Path

from rmimom.client.factory import ConnectionFactory
from rmimom.client.session import Session
from rmimom.demo import processes
from rmimom.demo.actors import Actor, Report, archive, quiet, work
from rmimom.demo.quakes import read_quakes
from rmimom.demo.tally import Row, Tally
from rmimom.errors import ConnectionFailedError

ARCHIVE = "archive"
WORKERS = ["worker A", "worker B"]
SETTLE_LIMIT = 60.0
"""Seconds after the last publish within which everything must have arrived."""
LINGER = 1.0
"""Seconds to wait for duplicates once everything has arrived."""


class Director:
    """Runs the demonstration; `watch(what, tally)` is told of every step.

    `speed` is how many times faster than it happened the week is replayed, 0 for as fast as possible.
    """

    def __init__(self, speed: float, watch: Callable[[str, Tally], None]) -> None:
        self._speed = speed
        self._watch = watch
        self._tally = Tally()
        self._reports: ReportQueue[Report] = multiprocessing.get_context("spawn").Queue()
        self._online = threading.Semaphore(0)
        self._quakes = read_quakes()
        self.restart_seconds = 0.0

    @property
    def longest_pause(self) -> float:
        """The longest that one publish took, in seconds."""
        return self._tally.longest_pause

    def run(self) -> list[Row]:
        """Play it; returns the closing table."""
        quiet()
        with tempfile.TemporaryDirectory(prefix="rmimom-demo-") as name:
            directory = Path(name)
            name_server, nameserver = processes.start_name_server(directory)
            server = processes.server(directory, nameserver)
            try:
                self._step(f"name server at {nameserver}")
                pid = processes.server_pid(server.start())
                self._step(f"server started, process {pid}")
                return self._play(server, nameserver)
            finally:
                server.stop()
                name_server.stop()

    def _play(self, server: processes.Process, nameserver: str) -> list[Row]:
        networks = sorted({quake.network for quake, _ in self._quakes})
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        keeper = self._start_archive(nameserver, networks)
        workers = [Actor(worker, work, self._reports, nameserver) for worker in WORKERS]
        self._wait_online(1 + len(workers))
        self._step("the archive and two workers are online")
        total = len(self._quakes)
        try:
            with ConnectionFactory(nameserver).create_connection() as connection:
                session = connection.create_session()
                publishers = {
                    network: session.create_publisher(session.topic(f"quakes.{network}")) for network in networks
                }
                send = self._sender(session)
                for number, (quake, line) in enumerate(self._quakes):
                    if number == total // 4:
                        keeper.end()
                        self._step("the archive went offline; its messages wait for it")
                    elif number == total // 2:
                        self._kill_and_restart(server)
                    elif number == total * 3 // 4:
                        keeper = self._start_archive(nameserver, networks)
                        self._step("the archive comes back")
                    self._pace(number)
                    began = time.perf_counter()
                    publishers[quake.network].publish(
                        line, properties={"id": quake.id, "type": quake.type, "magnitude": quake.magnitude}
                    )
                    self._tally.published += 1
                    if quake.strong:
                        send(line, quake.id)
                    self._tally.longest_pause = max(self._tally.longest_pause, time.perf_counter() - began)
                    self._watch("", self._tally)
            self._step("everything is published; waiting for the last to arrive")
            self._settle(total)
        finally:
            for actor in (keeper, *workers):
                actor.end()
            self._reports.put(("director", "end", ""))
            listener.join(10)
        strong = sum(1 for quake, _ in self._quakes if quake.strong)
        return self._tally.rows(total, strong, ARCHIVE, WORKERS)

    def _start_archive(self, nameserver: str, networks: list[str]) -> Actor:
        return Actor(ARCHIVE, archive, self._reports, nameserver, networks)

    def _sender(self, session: Session) -> Callable[[str, str], None]:
        sender = session.create_sender(session.queue("strong-quakes"))

        def send(line: str, quake: str) -> None:
            sender.send(line, properties={"id": quake}, priority=7)
            self._tally.sent_to_workers += 1

        return send

    def _kill_and_restart(self, server: processes.Process) -> None:
        self._step("SIGKILL to the server")
        server.kill()

        def restart() -> None:
            began = time.perf_counter()
            pid = processes.server_pid(server.start())
            self.restart_seconds = time.perf_counter() - began
            self._step(f"server started again, process {pid}")

        # The publisher does not wait for it: what it publishes meanwhile waits in its connection.
        threading.Thread(target=restart, daemon=True).start()

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

    def _settle(self, total: int) -> None:
        """Wait until everything arrived, and a little longer for what must not arrive."""
        limit = time.monotonic() + SETTLE_LIMIT
        tally = self._tally
        while time.monotonic() < limit:
            worked = sum(tally.count(worker) for worker in WORKERS)
            if tally.count(ARCHIVE) >= total and worked >= tally.sent_to_workers:
                break
            time.sleep(0.05)
            self._watch("", tally)
        time.sleep(LINGER)

    def _step(self, what: str) -> None:
        self._watch(what, self._tally)
