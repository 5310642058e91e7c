"""Transactions over real processes: a server that is killed around commits does all of each or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.processes import ServerProcess, start_server, wait_for

from rmimom.client.connection import Connection
from rmimom.client.consumer import Consumer
from rmimom.client.factory import ConnectionFactory
from rmimom.client.transport import Channel
from rmimom.destination import Queue, Topic
from rmimom.errors import TransactionRolledBackError
from rmimom.frame import CommitRequest

ORDERS, BILLS, PARCELS, NEWS = Queue("orders"), Queue("bills"), Queue("parcels"), Topic("news")
TIME_LIMIT = 60.0


class Scene:
    """A server that is killed and started again in the same place, and connections to it."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        self._data = data
        self._stack = stack
        self.server = self._start(0)
        self._uri = self.server.uri("rmimom.ConnectionFactory")

    def _start(self, port: int) -> ServerProcess:
        return self._stack.enter_context(start_server(self._data, port=port))

    def connect(self, client_id: str = "") -> Connection:
        return self._stack.enter_context(
            ConnectionFactory(uri=self._uri).create_connection("app", "secret", client_id=client_id)
        )

    def restart(self) -> None:
        self.server.kill()
        self.server = self._start(self.server.port)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path / "data", stack)


def drain(consumer: Consumer, count: int) -> list[object]:
    """The bodies of `count` messages, and of any that should not be there."""
    got = [consumer.receive(TIME_LIMIT) for _ in range(count)]
    bodies: list[object] = [message.body for message in got if message is not None]
    surplus = consumer.receive(0.2)
    return bodies if surplus is None else [*bodies, surplus.body]


def test_killed_between_and_during_commits(scene: Scene) -> None:
    """T1, T:122, T:123: each order becomes one bill, one parcel and one piece of news, whenever the server dies."""
    count, together = 120, 3
    reader = scene.connect("archive").create_session()
    news = reader.create_subscriber(NEWS, durable="all")
    scene.connect().create_session().create_sender(ORDERS).send_many(range(count))
    session = scene.connect().create_session(transacted=True)
    orders = session.create_receiver(ORDERS)
    bills, parcels = session.create_sender(BILLS), session.create_sender(PARCELS)
    publisher = session.create_publisher(NEWS)
    reached = [threading.Event() for _ in range(3)]

    def kill() -> None:
        for event in reached:
            assert event.wait(TIME_LIMIT)
            scene.restart()

    executor = ThreadPoolExecutor(1)
    killer = executor.submit(kill)
    done = 0
    while done < count:
        for _ in range(together):
            order = orders.receive(TIME_LIMIT)
            assert order is not None
            for producer in (bills, parcels, publisher):
                producer.send(order.body)
        if done in {30, 60, 90}:
            reached[done // 30 - 1].set()
        try:
            session.commit()
            done += together
        except TransactionRolledBackError:
            pass  # legal after a loss: the same orders come again
    killer.result(TIME_LIMIT)
    executor.shutdown()
    plain = scene.connect().create_session()
    expected = list(range(count))
    assert drain(plain.create_receiver(BILLS), count) == expected
    assert drain(plain.create_receiver(PARCELS), count) == expected
    assert drain(news, count) == expected
    session.close()
    assert drain(plain.create_receiver(ORDERS), 0) == []


def test_a_chain_of_transactions_under_kills(scene: Scene) -> None:
    """T1, T:123: two links of a chain, each for itself, while the server is killed at any moment of any commit."""
    count, kills = 150, 3
    scene.connect().create_session().create_sender(ORDERS).send_many(range(count))
    passed = {BILLS: 0, PARCELS: 0}

    def link(source: Queue, targets: list[Queue]) -> None:
        session = scene.connect().create_session(transacted=True)
        receiver = session.create_receiver(source, prefetch=10)
        senders = [session.create_sender(target) for target in targets]
        while passed[targets[0]] < count:
            message = receiver.receive(TIME_LIMIT)
            assert message is not None
            for sender in senders:
                sender.send(message.body)
            try:
                session.commit()
            except TransactionRolledBackError:
                continue  # legal after a loss: the same message comes again
            passed[targets[0]] += 1

    with ThreadPoolExecutor(2) as pool:
        links = [pool.submit(link, ORDERS, [BILLS]), pool.submit(link, BILLS, [PARCELS, Queue("copies")])]
        for kill in range(1, kills + 1):
            wait_for(lambda: passed[PARCELS] > kill * count // (kills + 1) or any(map(Future.done, links)), "progress")  # noqa: B023 - at once
            scene.restart()
        for done in links:
            done.result(TIME_LIMIT)
    plain = scene.connect().create_session()
    expected = list(range(count))
    assert drain(plain.create_receiver(PARCELS), count) == expected
    assert drain(plain.create_receiver(Queue("copies")), count) == expected
    for queue in (ORDERS, BILLS):
        assert drain(plain.create_receiver(queue), 0) == []


@pytest.mark.parametrize("arrives", [True, False], ids=["done before the kill", "never arrived"])
def test_the_answer_of_a_commit_is_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch, arrives: bool) -> None:
    """T1, T:123: the server dies before the client has the answer; the commit is repeated and takes effect once."""
    maker = scene.connect().create_session()
    maker.create_sender(ORDERS).send_many(["first", "second"])
    session = scene.connect().create_session(transacted=True)
    orders = session.create_receiver(ORDERS)
    assert [getattr(orders.receive(TIME_LIMIT), "body", None) for _ in range(2)] == ["first", "second"]
    for queue in (BILLS, PARCELS):
        session.create_sender(queue).send("x")
    commit = Channel._commit
    asked: list[CommitRequest] = []

    def killed(channel: Channel, request: CommitRequest) -> None:
        asked.append(request)
        if len(asked) == 1:
            if arrives:
                commit(channel, request)
            scene.restart()
            raise ConnectionResetError("the answer was lost")
        commit(channel, request)

    monkeypatch.setattr(Channel, "_commit", killed)
    session.commit()
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert drain(maker.create_receiver(BILLS), 1) == ["x"]
    assert drain(maker.create_receiver(PARCELS), 1) == ["x"]
    assert orders.receive(0.2) is None
    session.close()
    assert drain(maker.create_receiver(ORDERS), 0) == []


def test_killed_before_the_commit(scene: Scene) -> None:
    """T1, T2, T5: nothing of an open transaction is at the server; it ends with the server, and `commit` says so."""
    maker = scene.connect().create_session()
    maker.create_sender(ORDERS).send_many("ab")
    connection = scene.connect()
    restored = threading.Event()
    connection.on_event(lambda event: restored.set() if event.kind == "restored" else None)
    session = connection.create_session(transacted=True)
    orders = session.create_receiver(ORDERS)
    bills = session.create_sender(BILLS)
    for _ in range(2):
        order = orders.receive(TIME_LIMIT)
        assert order is not None
        bills.send(order.body)
    scene.restart()
    assert restored.wait(TIME_LIMIT)
    with pytest.raises(TransactionRolledBackError):
        session.commit()
    again = [orders.receive(TIME_LIMIT) for _ in range(2)]
    assert [(order.body, order.redelivered) for order in again if order] == [("a", True), ("b", True)]
    bills.send("c")
    session.commit()
    assert drain(maker.create_receiver(BILLS), 1) == ["c"]
    session.close()
    assert drain(maker.create_receiver(ORDERS), 0) == []


def test_a_closed_connection_takes_its_transaction_along(scene: Scene) -> None:
    """T4, T:104: what its session had received goes to others, flagged, and what it had sent is nowhere."""
    scene.connect().create_session().create_sender(ORDERS).send("a")
    connection = scene.connect()
    session = connection.create_session(transacted=True)
    assert session.create_receiver(ORDERS).receive(TIME_LIMIT) is not None
    session.create_sender(BILLS).send("never")
    connection.close()
    plain = scene.connect().create_session()
    message = plain.create_receiver(ORDERS).receive(TIME_LIMIT)
    assert message is not None
    assert message.redelivered
    assert drain(plain.create_receiver(BILLS), 0) == []
