"""Active and standby: how long clients wait when the active server is killed or hands over, and what a standby costs.

python -m bench.failover [--part kill|switchover|takeover|throughput] [--runs N] [--waiting N] [--messages N] [--json]

kill        the active gets SIGKILL; from then to the first confirmed send on the new one
switchover  the active hands over; the longest time between two confirmed sends, and the errors that the client saw
takeover    kill, with so many waiting messages and with none
throughput  the durable queue with a standby in sync, and with none, in turns

A client sends all the time, one confirmed durable message after the other, and another one receives them.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.baseline import BODY
from bench.durable_queue import Race, Setting, produce, race
from bench.durable_queue import consume as consume_so_many
from bench.pair import Pair, pair
from bench.report import Figure, show
from bench.scene import Pipe, Worker, processor_seconds, scene
from rmimom.errors import JMSError

QUEUE = "traffic"
WARM = 0.3
"""Seconds of traffic before a change, and after it."""
TAKEOVERS = 3
"""Runs with waiting messages, and without; each needs a copy of all of them for the standby that comes back."""
ROUNDS = 3
"""Times that the durable queue runs with a standby and without."""


def send(pipe: Pipe, nameserver: str) -> None:
    """Send one confirmed message after the other; asked for a time, say when each since then was confirmed, and errors.

    None for a time is the end.
    """
    from rmimom import ConnectionFactory

    quiet()
    body = os.urandom(BODY)
    confirmed: list[float] = []
    errors: list[str] = []
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue(QUEUE))
        sender.send(body)
        pipe.send("ready")
        while True:
            try:
                sender.send(body)
                confirmed.append(time.monotonic())
            except JMSError as error:
                errors.append(error.text)
            if pipe.poll():
                since = pipe.recv()
                if since is None:
                    return
                pipe.send(([moment for moment in confirmed if moment >= since - 1.0], errors))
                confirmed, errors = [], []


def receive(pipe: Pipe, nameserver: str) -> None:
    """Receive and acknowledge until a word comes."""
    from rmimom import ConnectionFactory

    quiet()
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        receiver = session.create_receiver(session.queue(QUEUE))
        pipe.send("ready")
        while not pipe.poll():
            receiver.receive(timeout=0.1)


def quiet() -> None:
    """That servers are lost is no news here."""
    import logging

    logging.getLogger("rmimom").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Gap:
    """From one confirmed send to the next, by the machine's monotonic clock; and errors in this time and around it."""

    began: float
    ended: float
    errors: list[str]


class Traffic:
    """The two clients."""

    def __init__(self, nameserver: str) -> None:
        self._receiver = Worker(receive, nameserver)
        self._receiver.hear()
        self._sender = Worker(send, nameserver)
        self._sender.hear()

    def gap(self, since: float) -> Gap:
        """The longest time between two confirmed sends that ended since then.

        Returns when a send was confirmed after all that happened so far.
        """
        time.sleep(WARM)
        self._sender.say(since)
        confirmed, errors = self._sender.hear()
        pairs = [(before, after) for before, after in itertools.pairwise(confirmed) if after >= since]
        began, ended = max(pairs, key=lambda one: one[1] - one[0])
        return Gap(began, ended, errors)

    def end(self) -> None:
        """Let both go."""
        for worker in (self._sender, self._receiver):
            worker.say(None)
            worker.end()


@contextlib.contextmanager
def traffic(nameserver: str) -> Iterator[Traffic]:
    """Clients at work."""
    made = Traffic(nameserver)
    try:
        yield made
    finally:
        made.end()


def kill(made: Pair, clients: Traffic) -> float:
    """Kill the active server; milliseconds to the first confirmed send on the new one, whose standby it becomes."""
    time.sleep(WARM)
    killed_at = made.active.kill()
    # A confirmation that was on its way already may come after this moment; the longest gap leads to the new active.
    gap = clients.gap(killed_at)
    if gap.errors:
        raise RuntimeError(f"the client saw {gap.errors[0]!r}")
    made.change_places()
    made.standby.start("--standby")
    made.wait_in_sync()
    return (gap.ended - killed_at) * 1e3


def measure_kill(runs: int) -> list[Figure]:
    """How long clients wait for the standby to take over."""
    with pair() as made, traffic(made.nameserver) as clients:
        pauses = [kill(made, clients) for _ in range(runs)]
    return distribution("SIGKILL to the first confirmed send", pauses, 1500)


def measure_switchover(runs: int) -> list[Figure]:
    """How long clients wait while the active hands over."""
    pauses: list[float] = []
    seen: list[str] = []
    with pair() as made, traffic(made.nameserver) as clients:
        for _ in range(runs):
            time.sleep(WARM)
            began = time.monotonic()
            made.switch_over()
            gap = clients.gap(began)
            pauses.append((gap.ended - gap.began) * 1e3)
            seen += gap.errors
            made.wait_in_sync()
    return [
        *distribution("switchover, longest pause of a client", pauses, 300),
        Figure("switchover, errors that the client saw", len(seen), f"in {runs} runs", aim=0),
    ]


def measure_takeover(runs: int, waiting: int) -> list[Figure]:
    """The same as `measure_kill` with and without waiting messages; only the difference matters."""
    with pair() as made, traffic(made.nameserver) as clients:
        without = [kill(made, clients) for _ in range(runs)]
        fill(made.nameserver, waiting)
        full = [kill(made, clients) for _ in range(runs)]
    longer = statistics.median(full) - statistics.median(without)
    return [
        Figure("takeover with no waiting messages", statistics.median(without), "ms (median)", values=tuple(without)),
        Figure(f"takeover with {waiting:,}", statistics.median(full), "ms (median)", values=tuple(full)),
        Figure("takes longer by", longer, "ms", aim=1000),
    ]


def fill(nameserver: str, messages: int) -> None:
    """Messages that nobody takes."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("waiting"))
        for _ in range(messages):
            sender.send_async(body)
        sender.flush(timeout=300)


def measure_throughput(messages: int) -> list[Figure]:
    """The durable queue with and without a standby in sync, in turns."""
    standby_used: list[float] = []

    @contextlib.contextmanager
    def watched_pair() -> Iterator[Setting]:
        with pair() as made:
            before = processor_seconds(made.standby.pid)
            yield made
            standby_used.append(processor_seconds(made.standby.pid) - before)

    alone: list[Race] = []
    both: list[Race] = []
    for _ in range(ROUNDS):
        alone.append(race(produce, consume_so_many, messages, scene))
        both.append(race(produce, consume_so_many, messages, watched_pair))
    rate, slower = (statistics.median(one.rate for one in races) for races in (alone, both))
    a_message = "us processor time a message"
    return [
        Figure("durable queue, no standby", rate, "messages/s", values=tuple(one.rate for one in alone)),
        Figure(
            "durable queue, one standby in sync",
            slower,
            "messages/s",
            slower / rate,
            "no standby",
            0.6,
            tuple(one.rate for one in both),
        ),
        Figure("server without standby", statistics.median(one.server for one in alone) / messages * 1e6, a_message),
        Figure("active server", statistics.median(one.server for one in both) / messages * 1e6, a_message),
        Figure("standby", statistics.median(standby_used) / messages * 1e6, a_message),
    ]


def distribution(name: str, pauses: list[float], aim: float) -> list[Figure]:
    """The least, median, 90th percentile and most, and each value in order."""
    values = sorted(pauses)
    return [
        Figure(f"{name}, min", values[0], "ms"),
        Figure(f"{name}, median", statistics.median(values), "ms", aim=aim, values=tuple(pauses)),
        Figure(f"{name}, p90", values[min(len(values) - 1, round(0.9 * len(values)) - 1)], "ms"),
        Figure(f"{name}, max", values[-1], "ms"),
    ]


def measure(parts: Sequence[str], runs: int, waiting: int, messages: int) -> list[Figure]:
    """All parts, or the chosen ones."""
    measured: dict[str, Callable[[], list[Figure]]] = {
        "kill": lambda: measure_kill(runs),
        "switchover": lambda: measure_switchover(runs),
        "takeover": lambda: measure_takeover(TAKEOVERS, waiting),
        "throughput": lambda: measure_throughput(messages),
    }
    return [figure for part in parts or measured for figure in measured[part]()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=["kill", "switchover", "takeover", "throughput"])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--waiting", type=int, default=200_000)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args()
    show(measure(chosen.part or [], chosen.runs, chosen.waiting, chosen.messages), chosen.json)


if __name__ == "__main__":
    main()
