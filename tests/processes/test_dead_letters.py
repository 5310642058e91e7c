"""Dead letters over real processes that go on working while the server is killed: each message has one fate."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from Pyro5.errors import CommunicationError
from support.processes import TIME_LIMIT, ServerProcess, start_server, wait_for

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import AcknowledgeMode
from rmimom.message import Message

WORK, DEAD = "work", "DLQ.work"
MESSAGES = 240
KILLS = 3


class Scene:
    """A server that is killed and started again in the same place, clients that stay, and what became of messages."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        self._data = data
        self._stack = stack
        self.server = self._start(0)
        self._factory = ConnectionFactory(uri=self.server.uri("rmimom.ConnectionFactory"))
        self.worked: Counter[object] = Counter()
        self.buried: Counter[object] = Counter()
        self.done = threading.Event()

    def _start(self, port: int) -> ServerProcess:
        return self._stack.enter_context(start_server(self._data, port=port))

    def connect(self) -> Connection:
        return self._stack.enter_context(self._factory.create_connection("app", ""))

    def restart(self) -> None:
        self.server.kill()
        self.server = self._start(self.server.port)

    @property
    def finished(self) -> int:
        return self.worked.total() + self.buried.total()

    @property
    def pending(self) -> int:
        with self.server.administration() as administration:
            return int(administration.status()["pending"])

    def consume(self, queue: str, handle: Callable[[Message], None]) -> None:
        """Give every message of a queue to `handle` until all is done."""
        session = self.connect().create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
        with session.create_receiver(session.queue(queue), prefetch=20) as receiver:
            while not self.done.is_set():
                message = receiver.receive(timeout=0.1)
                if message is not None:
                    handle(message)

    def send(self) -> None:
        session = self.connect().create_session()
        session.create_sender(session.queue(WORK)).send_many(range(MESSAGES))

    def waiting(self) -> list[object]:
        """What can be seen in both queues."""
        session = self.connect().create_session()
        found: list[object] = []
        for queue in (WORK, DEAD):
            with session.create_browser(session.queue(queue)) as browser:
                found += [message.body for message in browser]
        return sorted(found, key=str)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        made = Scene(tmp_path / "data", stack)
        stack.callback(made.done.set)
        yield made


def number_of(message: Message) -> int:
    assert isinstance(message.body, int)
    return message.body


def test_moves_under_kills(scene: Scene) -> None:
    """Given workers who fail on some messages, at once or again and again, when the server is killed meanwhile, then
    every message is worked once or is consumed once as a dead letter with its reason."""

    def work(message: Message) -> None:
        fate = number_of(message) % 3
        if fate == 0:
            message.nack("junk", dead=True)
        elif fate == 1:
            message.nack("it failed")
        else:
            message.acknowledge()
            scene.worked[message.body] += 1

    def bury(message: Message) -> None:
        expected = ("junk", 1) if number_of(message) % 3 == 0 else ("it failed", 7)
        told = message.properties
        assert (told["JMS_rmimom_dead_reason"], told["JMS_rmimom_failures"]) == expected
        assert told["JMS_rmimom_original_destination"] == f"queue://{WORK}"
        message.acknowledge()
        scene.buried[message.body] += 1

    scene.send()
    with ThreadPoolExecutor(3) as pool:
        consuming = [pool.submit(scene.consume, *who) for who in ((WORK, work), (WORK, work), (DEAD, bury))]
        try:
            for kill in range(1, KILLS + 1):
                wait_for(
                    lambda: scene.finished > MESSAGES * kill // (KILLS + 1) or _failed(consuming),  # noqa: B023 - at once
                    "progress",
                )
                scene.restart()
            wait_for(lambda: not scene.pending or _failed(consuming), "end of the work")
        finally:
            scene.done.set()
        for future in consuming:
            future.result(TIME_LIMIT)
    everything = range(MESSAGES)
    assert scene.worked == Counter(number for number in everything if number % 3 == 2)
    assert scene.buried == Counter(number for number in everything if number % 3 != 2)


def _failed(futures: list[Future[None]]) -> bool:
    return any(future.done() for future in futures)


def test_retries_under_kills(scene: Scene) -> None:
    """Given dead letters, when the server is killed while they are sent back, then each is in one of the two queues,
    and in the end repaired workers work each of them once."""
    scene.send()
    receiving = scene.connect().create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    with receiving.create_receiver(receiving.queue(WORK)) as receiver:
        for _ in range(MESSAGES):
            message = receiver.receive(TIME_LIMIT)
            assert message is not None
            message.nack("no plan for this", dead=True)

    def retry(ids: list[int]) -> None:
        try:
            with scene.server.administration() as administration:
                called.set()
                administration.retry(DEAD, ids)
        except CommunicationError:
            pass  # nobody knows whether it was done

    everything = sorted(range(MESSAGES), key=str)
    called = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(KILLS):
            with scene.server.administration() as administration:
                ids = [letter["id"] for letter in administration.dead_letters(DEAD)]
            called.clear()
            asked = pool.submit(retry, ids[: MESSAGES // KILLS])
            assert called.wait(TIME_LIMIT)
            scene.restart()
            asked.result(TIME_LIMIT)
            wait_for(lambda: scene.waiting() == everything, "every message in one of the two queues")
    with scene.server.administration() as administration:
        administration.retry(DEAD)

    def work(message: Message) -> None:
        message.acknowledge()
        scene.worked[message.body] += 1

    with ThreadPoolExecutor(1) as pool:
        consuming = pool.submit(scene.consume, WORK, work)
        try:
            wait_for(lambda: scene.finished >= MESSAGES or consuming.done(), "half of the work")
            wait_for(lambda: not scene.pending or consuming.done(), "end of the work")
        finally:
            scene.done.set()
        consuming.result(TIME_LIMIT)
    assert scene.worked == Counter(range(MESSAGES))
