"""Publish latency beside open web consoles: none, and ten that are live and browse a deep queue every two seconds.

python -m bench.consoles [--seconds N] [--consoles N] [--deep N] [--json]

Each console has a live stream, reads the charts of the queue that is published to every three seconds, and every two
seconds the page of queues and a page of the deep queue, as a browser would.  Then each watches that queue's tail, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from typing import NamedTuple

from bench.baseline import BODY
from bench.report import Figure, report
from bench.scene import Pipe, Scene, Worker, scene
from rmimom.admin_token import Token, read_token

RATE = 300
BROWSE_PERIOD = 2.0
CHART_PERIOD = 3.0


class Round(NamedTuple):
    """Milliseconds of each send, sorted, and how much of a processor the server used meanwhile."""

    took: list[float]
    processor: float


def fill(pipe: Pipe, nameserver: str, messages: int) -> None:
    """Fill the deep queue."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("deep"))
        for _ in range(messages):
            sender.send_async(body)
        sender.flush(timeout=300)
        session.create_sender(session.queue("timed")).send(body)
        pipe.send("ready")


def publish(pipe: Pipe, nameserver: str, seconds: int) -> None:
    """Each time when told to: send at RATE a second, and tell how long each confirmed send took."""
    from rmimom import ConnectionFactory

    body = os.urandom(BODY)
    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        sender = session.create_sender(session.queue("timed"))
        pipe.send("ready")
        while pipe.recv() == "go":
            took: list[float] = []
            start = time.perf_counter()
            for number in range(seconds * RATE):
                delay = start + number / RATE - time.perf_counter()
                if delay > 0:
                    time.sleep(delay)
                began = time.perf_counter()
                sender.send(body)
                took.append((time.perf_counter() - began) * 1000)
            pipe.send(took)


def consume(pipe: Pipe, nameserver: str) -> None:
    """Receive all that is published, until told to stop."""
    from rmimom import ConnectionFactory

    with ConnectionFactory(nameserver).create_connection() as connection:
        session = connection.create_session()
        receiver = session.create_receiver(session.queue("timed"))
        pipe.send("ready")
        while not pipe.poll():
            receiver.receive(timeout=0.5)


def watch(pipe: Pipe, url: str, token: Token, consoles: int, tails: bool) -> None:
    """Be so many open consoles, until told to stop; then tell how many pages and events came."""
    pipe.send(asyncio.run(_watch(pipe, url, token, consoles, tails)))


async def _watch(pipe: Pipe, url: str, token: Token, consoles: int, tails: bool) -> tuple[int, int]:
    import httpx

    pages = itertools.count()
    events = itertools.count()

    async def listen(client: httpx.AsyncClient, path: str) -> None:
        async with client.stream("GET", path) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    next(events)

    async def look(client: httpx.AsyncClient, period: float, *paths: str) -> None:
        while True:
            for path in paths:
                (await client.get(path)).raise_for_status()
                next(pages)
            await asyncio.sleep(period)

    async with contextlib.AsyncExitStack() as stack:
        tasks: list[asyncio.Task[None]] = []
        for _ in range(consoles):
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
            form = {"user": token.user, "password": token.password, "next": "/"}
            answer = await client.post("/login", data=form)
            assert answer.status_code == 303, answer.text
            wanted = [
                listen(client, "/api/v1/events"),
                look(client, BROWSE_PERIOD, "/queues", "/queues/deep/messages"),
                look(client, CHART_PERIOD, "/api/v1/queues/timed/history"),
            ]
            if tails:
                wanted.append(listen(client, "/api/v1/queues/timed/tail"))
            tasks += map(asyncio.create_task, wanted)
            await asyncio.sleep(BROWSE_PERIOD / consoles)
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.wait(tasks)
    return next(pages), next(events)


def _token(made: Scene) -> Token:
    token = read_token(made.directory / "data")
    assert token is not None
    return token


def measure(seconds: int, consoles: int, deep: int) -> list[Figure]:
    """Milliseconds of a confirmed send without consoles, with them, and without them again."""
    with scene("--http", "127.0.0.1:0") as made:
        filler = Worker(fill, made.nameserver, deep)
        filler.hear()
        filler.end()
        publisher = Worker(publish, made.nameserver, seconds)
        consumer = Worker(consume, made.nameserver)
        publisher.hear()
        consumer.hear()

        def round_of_sends() -> Round:
            began, used = time.monotonic(), made.processor_seconds
            publisher.say("go")
            took = sorted(publisher.hear())
            return Round(took, (made.processor_seconds - used) / (time.monotonic() - began))

        def beside(tails: bool) -> tuple[Round, int, int]:
            token = _token(made)
            watcher = Worker(watch, token.http, token, consoles, tails)
            watcher.hear()
            took = round_of_sends()
            watcher.say("stop")
            pages, events = watcher.hear()
            watcher.end()
            return took, pages, events

        round_of_sends()  # warms up
        before = round_of_sends()
        looking, pages, events = beside(tails=False)
        watching, _, _ = beside(tails=True)
        after = round_of_sends()
        publisher.say("stop")
        consumer.say("stop")
        publisher.end()
        consumer.end()
    alone = Round(sorted(before.took + after.took), (before.processor + after.processor) / 2)
    return [
        *_figures("no console", alone, None),
        *_figures(f"{consoles} consoles", looking, alone),
        *_figures(f"{consoles} with tails", watching, alone),
        Figure("pages that the consoles read", pages, "pages"),
        Figure("events that they were told", events, "events"),
    ]


def _figures(what: str, found: Round, alone: Round | None) -> list[Figure]:
    against = "no console" if alone else ""
    figures = [Figure(f"server, {what}", found.processor * 100, "% of a processor")]
    for name, place in (("p50", 0.5), ("p99", 0.99)):
        value = found.took[int(len(found.took) * place)]
        ratio = value / alone.took[int(len(alone.took) * place)] if alone else None
        figures.append(Figure(f"send at {RATE}/s, {what}, {name}", value, "ms", ratio, against))
    return figures


if __name__ == "__main__":
    report(__doc__, measure, seconds=10, consoles=10, deep=100_000)
