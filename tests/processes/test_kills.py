"""A server that is killed again and again under load, and what its clients saw, judged by the checkers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from support.load import ARCHIVE, NEWS, WORK, Witness, archive, pending, receiver
from support.processes import TIME_LIMIT, ServerProcess, start_name_server, start_server, wait_for

from rmimom import ConnectionFactory
from rmimom_chaos.history import INVOKE, OK

KILLS = 3
BETWEEN_KILLS = 150
"""Confirmed sends of every producer from one kill to the next."""


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
                witness.fault("crash")
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
    witness.judge()
