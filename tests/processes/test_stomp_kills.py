"""A server that is killed again and again under STOMP load, and what its clients saw, judged by the checkers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

from support.processes import TIME_LIMIT, ServerProcess, start_server, wait_for
from support.stomp_client import StompClient

from rmimom_chaos.checkers import (
    check_acknowledged,
    check_duplicates,
    check_order,
    check_total_queue,
    check_transactions,
)
from rmimom_chaos.history import INFO, INVOKE, OK, Event, History, excerpt

KILLS = 3
BETWEEN_KILLS = 60
"""Confirmed sends of every producer from one kill to the next."""
CHECKS = (check_total_queue, check_acknowledged, check_duplicates, check_order, check_transactions)
PLACE = "queue://work"


class Witness:
    """Clients that write down what they do and see."""

    def __init__(self) -> None:
        self.port = 0
        self.history: History = []
        self.confirmed: dict[str, int] = {}
        self.killing_is_over = threading.Event()
        self.all_is_done = threading.Event()

    def note(self, process: str, type: str, op: str, **facts: str | int) -> None:
        self.history.append(Event(time.time_ns() // 1_000_000, process, type, op, **facts))  # type: ignore[arg-type]

    def keep_going(self, work: Callable[[StompClient], None], until: threading.Event) -> None:
        """Do the work on one connection after the other, for a client of STOMP is on its own when it loses one."""
        while not until.is_set():
            try:
                with StompClient(self.port) as client:
                    work(client)
            except OSError:
                until.wait(0.01)

    def produce(self, name: str, transacted: bool) -> None:
        """Send numbered messages in bunches, each confirmed, or each a transaction, until the killing is over."""
        counter = count(1)

        def work(client: StompClient) -> None:
            while not self.killing_is_over.is_set():
                bunch = [f"{name}-{next(counter)}" for _ in range(1 + self.confirmed.get(name, 0) % 7)]
                (self._commit if transacted else self._send)(client, name, bunch)
                self.confirmed[name] = self.confirmed.get(name, 0) + len(bunch)

        self.keep_going(work, self.killing_is_over)

    def _send(self, client: StompClient, name: str, bunch: list[str]) -> None:
        for value in bunch:
            self.note(name, INVOKE, "send", value=value, destination=PLACE)
        headers = {"destination": "/queue/work", "persistent": "true"}
        receipts = [client.ask("SEND", headers, value) for value in bunch]
        for value, receipt in zip(bunch, receipts, strict=True):
            client.wait_receipt(receipt)
            self.note(name, OK, "send", value=value)

    def _commit(self, client: StompClient, name: str, bunch: list[str]) -> None:
        transaction = {"transaction": f"of {bunch[0]}"}
        client.send("BEGIN", transaction)
        for value in bunch:
            self.note(name, INVOKE, "send", value=value, destination=PLACE, **transaction)
            client.send("SEND", {"destination": "/queue/work", "persistent": "true", **transaction}, value)
        self.note(name, INVOKE, "commit", **transaction)
        client.wait_receipt(client.ask("COMMIT", transaction))
        for value in bunch:
            self.note(name, OK, "send", value=value, **transaction)
        self.note(name, OK, "commit", **transaction)

    def consume(self, name: str) -> None:
        """Receive and acknowledge one by one until everything is acknowledged."""
        lives = count(1)

        def work(client: StompClient) -> None:
            consumer = f"{name}.{next(lives)}"
            headers = {"id": "1", "destination": "/queue/work", "ack": "client-individual", "prefetch-count": "20"}
            client.wait_receipt(client.ask("SUBSCRIBE", headers))
            while not self.all_is_done.is_set():
                frame = client.message(0.1)
                if frame is None:
                    continue
                facts = {"value": frame.body.decode(), "place": PLACE, "consumer": consumer}
                again = 2 if frame.headers.get("redelivered") == "true" else 1
                self.note(name, OK, "receive", count=again, released=client.heard, **facts)
                self.note(name, INVOKE, "acknowledge", **facts)
                client.wait_receipt(client.ask("ACK", {"id": frame.headers["ack"]}))
                self.note(name, OK, "acknowledge", **facts)

        self.keep_going(work, self.all_is_done)
        self.note(name, OK, "drain", place=PLACE)

    def has_confirmed(self, producers: dict[str, bool], enough: int) -> bool:
        return all(self.confirmed.get(name, 0) >= enough for name in producers)


def pending(server: ServerProcess) -> int:
    with server.administration() as administration:
        return int(administration.status()["pending"])


def test_nothing_confirmed_is_lost_and_nothing_acknowledged_comes_again(tmp_path: Path) -> None:
    producers = {"a": False, "b": False, "t": True}
    with ThreadPoolExecutor(8) as pool, ExitStack() as servers:

        def start() -> ServerProcess:
            return servers.enter_context(start_server(tmp_path / "data", "--stomp", f"127.0.0.1:{witness.port}"))

        witness = Witness()
        server = start()
        witness.port = server.stomp_port
        working = [pool.submit(witness.produce, name, transacted) for name, transacted in producers.items()]
        working += [pool.submit(witness.consume, name) for name in ("x", "y")]
        try:
            for kill in range(1, KILLS + 1):
                wait_for(partial(witness.has_confirmed, producers, kill * BETWEEN_KILLS), "confirmed sends")
                server.kill()
                witness.note("server", INFO, "fault", value="crash")
                server = start()
            witness.killing_is_over.set()
            for future in working[: len(producers)]:
                future.result(TIME_LIMIT)
            wait_for(lambda: pending(server) == 0, "end of the work")
        finally:
            witness.killing_is_over.set()
            witness.all_is_done.set()
        for future in working:
            future.result(TIME_LIMIT)
    for check in CHECKS:
        verdict = check(witness.history)
        assert verdict.valid, "\n".join([*verdict.findings[:5], *excerpt(witness.history, verdict.values)])
