"""What clients go through when a standby takes over: consumers of every kind, events, and what was under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.cluster import Cluster, cluster, wait_active
from support.loops import on_loop, until
from support.processes import TIME_LIMIT, ServerProcess, wait_for

from rmimom import (
    AcknowledgeMode,
    Connection,
    ConnectionEvent,
    HeartbeatSubscriber,
    Message,
    Queue,
    Session,
    SuspicionLevel,
    Topic,
    TransactionRolledBackError,
    aio,
)
from rmimom.client.consumer import Consumer
from rmimom.client.transport import Channel
from rmimom.errors import ConnectionFailedError, InvalidDestinationError
from rmimom.frame import CommitRequest

pytestmark = pytest.mark.timeout(300)

ORDERS, BILLS, NEWS = Queue("orders"), Queue("bills"), Topic("news")
CLIENT = AcknowledgeMode.CLIENT_ACKNOWLEDGE


class Scene:
    """A pair of servers, the first of which is killed, and connections that are closed at the end."""

    def __init__(self, servers: Cluster, stack: ExitStack) -> None:
        self._stack = stack
        self.factory = servers.factory()
        self.nameserver = servers.names.location
        self.first, self.second = servers.pair()

    def connect(self, **options: object) -> Connection:
        return self._stack.enter_context(self.factory.create_connection("app", "", **options))  # type: ignore[arg-type]

    def fail_over(self) -> ServerProcess:
        """Kill the active server; the one that serves then."""
        self.first.kill()
        wait_active(self.second)
        return self.second


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with cluster(tmp_path) as servers, ExitStack() as stack:
        yield Scene(servers, stack)


def take(consumer: Consumer) -> Message:
    message = consumer.receive(TIME_LIMIT)
    assert message is not None
    return message


def bodies(consumer: Consumer, count: int) -> list[object]:
    """So many bodies, and whatever should not be there."""
    found = [take(consumer).body for _ in range(count)]
    surplus = consumer.receive(0.2)
    return found if surplus is None else [*found, surplus.body]


def drained(session: Session, queue: Queue, count: int) -> list[object]:
    """The same from a queue."""
    with session.create_receiver(queue) as receiver:
        return bodies(receiver, count)


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_consumers_of_every_kind_go_on(scene: Scene, delivery: str) -> None:
    """Given consumers of all kinds, when the active dies, then each gets what is sent to the new one, and more than
    fits into its window."""
    connection = scene.connect(client_id="reader", delivery=delivery)
    session = connection.create_session()
    observed: list[object] = []
    connection.create_session().create_receiver(Queue("observed")).attach(lambda found: observed.append(found.body))
    receiver = session.create_receiver(ORDERS, prefetch=2)
    chosen = session.create_receiver(Queue("chosen"), selector="size > 1")
    subscribers = [
        session.create_subscriber(NEWS),
        session.create_subscriber(NEWS, durable="kept"),
        session.create_subscriber(NEWS, shared="together"),
        session.create_subscriber(NEWS, durable="kept together", shared=True),
        session.create_subscriber(Topic("news.>")),
    ]
    replies = session.create_temporary_queue()
    answers = session.create_receiver(replies)
    other = scene.connect().create_session()
    other.create_sender(replies).send("before")
    assert take(answers).body == "before"
    waiting = other.create_sender(Queue("waiting"))
    for number in range(150):
        waiting.send_async(number)
    waiting.flush()
    browsed = iter(session.create_browser(Queue("waiting")))
    assert next(browsed).body == 0

    scene.fail_over()

    other.create_sender(ORDERS).send_many(range(10))
    assert bodies(receiver, 10) == list(range(10))
    other.create_sender(Queue("chosen")).send("small", properties={"size": 1})
    other.create_sender(Queue("chosen")).send("large", properties={"size": 2})
    assert bodies(chosen, 1) == ["large"]
    other.create_publisher(NEWS).publish("news")
    assert [bodies(subscriber, 1) for subscriber in subscribers] == [["news"]] * 5
    other.create_sender(Queue("observed")).send("seen")
    wait_for(lambda: observed == ["seen"], "observed message")
    # Others hold the name of a temporary queue: it leads to the same place.
    other.create_sender(replies).send("after")
    assert bodies(answers, 1) == ["after"]
    # An iteration goes on where it was.
    assert [message.body for message in browsed] == list(range(1, 150))


def test_the_application_hears_which_server_was_lost_and_found(scene: Scene) -> None:
    events: list[ConnectionEvent] = []
    connection = scene.connect()
    connection.on_event(events.append)
    sender = connection.create_session().create_sender(ORDERS)
    sender.send("a")
    second = scene.fail_over()
    sender.send("b")
    wait_for(lambda: events and events[-1].kind == "restored", "event")
    told = [(event.kind, event.address, event.server_id, event.error is not None) for event in events]
    assert told == [
        ("lost", scene.first.location, scene.first.server_id, True),
        ("restored", second.location, second.server_id, False),
    ]
    assert events[1].epoch > events[0].epoch


def test_any_client_may_listen_to_the_heart_of_the_servers(scene: Scene) -> None:
    """With the same class that standbys use; only servers hear their coordination."""
    beaten: set[str] = set()
    suspected: list[str] = []
    session = scene.connect(start=False).create_session()
    watch = HeartbeatSubscriber(
        session.create_subscriber(Topic("rmimom.heartbeat")),
        lambda name, level, _phi: suspected.append(f"{name} {level.value}"),
        on_beat=lambda beat: beaten.add(beat.name),
    )
    session._connection.start()
    with watch:
        wait_for(lambda: beaten == {scene.first.server_id}, "heartbeat")
        second = scene.fail_over()
        wait_for(lambda: beaten == {scene.first.server_id, second.server_id}, "heartbeat of the new active")
        wait_for(lambda: f"{scene.first.server_id} failed" in suspected, "suspicion")
        assert watch.level(second.server_id) is SuspicionLevel.ALIVE
    other = scene.connect().create_session()
    with pytest.raises(InvalidDestinationError):
        other.create_publisher(Topic("rmimom.heartbeat")).publish({"name": second.server_id}, persistent=False)
    with pytest.raises(InvalidDestinationError):
        other.create_subscriber(Topic("rmimom.coordination"))
    # A standby says in its own words what it hears, and nothing twice.
    client_lines = [line for line in second.log.splitlines() if line.split()[2:3] == ["client"]]
    assert client_lines == []


class Held:
    """A connection that finds no server before it is let go on."""

    def __init__(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self._may_go_on = False
        greet = connection._greet

        def late(client_id: str = "") -> Channel:
            if not self._may_go_on:
                raise ConnectionFailedError("it is held back by the test")
            return greet(client_id)

        monkeypatch.setattr(connection, "_greet", late)

    def go_on(self) -> None:
        self._may_go_on = True


def test_what_may_have_been_delivered_before_is_flagged(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given messages with a client that does not come back in time, then another gets them, flagged and counted."""
    maker = scene.connect().create_session()
    maker.create_sender(ORDERS).send_many("ab")
    connection = scene.connect()
    receiver = connection.create_session(CLIENT).create_receiver(ORDERS, prefetch=1)
    assert take(receiver).body == "a"
    held = Held(connection, monkeypatch)
    scene.fail_over()
    again = take(maker.create_receiver(ORDERS))
    assert (again.body, again.redelivered) == ("a", True)
    assert again.delivery_count >= 2
    held.go_on()
    maker.close()
    # What it held is with another by now, and acknowledged: it gets only what is left.
    assert take(receiver).body == "b"


def test_what_a_client_works_on_stays_with_it(scene: Scene) -> None:
    """Given a client that comes back at once, then it goes on with what it has, and nothing comes twice."""
    session = scene.connect().create_session(CLIENT)
    session.create_sender(ORDERS).send_many("ab")
    receiver = session.create_receiver(ORDERS)
    first, second = take(receiver), take(receiver)
    scene.fail_over()
    second.acknowledge()
    session.close()
    assert not first.redelivered
    assert drained(scene.connect().create_session(), ORDERS, 0) == []


# Transactions.


def test_an_open_transaction_is_rolled_back(scene: Scene) -> None:
    """Given a transaction with its messages, when the active dies, then its commit says so and it is done again."""
    maker = scene.connect().create_session()
    maker.create_sender(ORDERS).send("order")
    connection = scene.connect()
    restored = threading.Event()
    connection.on_event(lambda event: restored.set() if event.kind == "restored" else None)
    session = connection.create_session(transacted=True)
    receiver, sender = session.create_receiver(ORDERS), session.create_sender(BILLS)
    sender.send(f"{take(receiver).body}, first")
    scene.fail_over()
    assert restored.wait(TIME_LIMIT)
    with pytest.raises(TransactionRolledBackError, match="lost before the commit"):
        session.commit()
    again = take(receiver)
    assert again.redelivered
    sender.send(f"{again.body}, second")
    session.commit()
    session.close()
    assert drained(maker, BILLS, 1) == ["order, second"]
    assert drained(maker, ORDERS, 0) == []


def test_an_open_transaction_that_lost_its_messages_is_rolled_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given that its messages went to others meanwhile, then its commit says so, and nothing of it is sent."""
    maker = scene.connect().create_session()
    maker.create_sender(ORDERS).send("order")
    connection = scene.connect()
    session = connection.create_session(transacted=True)
    receiver = session.create_receiver(ORDERS)
    session.create_sender(BILLS).send(take(receiver).body)
    held = Held(connection, monkeypatch)
    scene.fail_over()
    taken = maker.create_receiver(ORDERS)
    assert take(taken).redelivered
    held.go_on()
    with pytest.raises(TransactionRolledBackError):
        session.commit()
    assert drained(maker, BILLS, 0) == []
    # The session goes on with its next transaction.
    taken.close()
    maker.create_sender(ORDERS).send("next")
    session.create_sender(BILLS).send(take(receiver).body)
    session.commit()
    assert drained(maker, BILLS, 1) == ["next"]


def lose_answer(monkeypatch: pytest.MonkeyPatch, kill: Callable[[], object], *, arrives: bool) -> list[CommitRequest]:
    """Kill the active around the next commit, so that nobody hears of its outcome; what was asked for."""
    commit = Channel._commit
    asked: list[CommitRequest] = []

    def killed(channel: Channel, request: CommitRequest) -> None:
        asked.append(request)
        if len(asked) == 1:
            if arrives:
                commit(channel, request)
            kill()
            raise ConnectionResetError("the answer was lost")
        commit(channel, request)

    monkeypatch.setattr(Channel, "_commit", killed)
    return asked


@pytest.mark.parametrize("arrives", [True, False], ids=["decided before the kill", "never arrived"])
def test_a_commit_of_unknown_outcome_is_resolved(scene: Scene, monkeypatch: pytest.MonkeyPatch, arrives: bool) -> None:
    """The new active knows which transactions were decided: asked again, it does this one if it was not."""
    maker = scene.connect().create_session()
    maker.create_sender(ORDERS).send("order")
    session = scene.connect().create_session(transacted=True)
    session.create_sender(BILLS).send(take(session.create_receiver(ORDERS)).body)
    asked = lose_answer(monkeypatch, scene.first.kill, arrives=arrives)
    session.commit()
    assert len(asked) >= 2
    session.close()
    assert drained(maker, BILLS, 1) == ["order"]
    assert drained(maker, ORDERS, 0) == []


def test_a_commit_is_asked_for_again_after_an_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no server for longer than the application waits, then a later commit finds out what became of it."""
    session = scene.connect(reconnect_timeout=0.2).create_session(transacted=True)
    session.create_sender(BILLS).send("bill")
    create = session._connection._manager.create_connection

    def nobody(*arguments: object) -> None:
        raise ConnectionFailedError("no server, says the test")

    monkeypatch.setattr(session._connection._manager, "create_connection", nobody)
    lose_answer(monkeypatch, scene.first.kill, arrives=True)
    with pytest.raises(ConnectionFailedError):
        session.commit()
    wait_active(scene.second)
    monkeypatch.setattr(session._connection._manager, "create_connection", create)
    wait_for(lambda: session._connection._exchange.channel, "way to the server")
    session.commit()
    assert drained(scene.connect().create_session(), BILLS, 1) == ["bill"]


# The same on an event loop.


def test_a_program_on_a_loop_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    @on_loop
    async def story() -> None:
        events: list[ConnectionEvent] = []
        observed: list[object] = []
        factory = aio.ConnectionFactory(scene.nameserver)
        async with factory.create_connection("app", "", client_id="reader", delivery="pull") as connection:
            connection.on_event(events.append)
            session = await connection.create_session()
            observing = await connection.create_session()
            (await observing.create_receiver(Queue("observed"))).attach(lambda found: observed.append(found.body))
            receiver = await session.create_receiver(ORDERS, prefetch=2)
            subscribers = [
                await session.create_subscriber(NEWS),
                await session.create_subscriber(NEWS, durable="kept"),
                await session.create_subscriber(NEWS, shared="together"),
                await session.create_subscriber(NEWS, durable="kept together", shared=True),
            ]
            replies = await session.create_temporary_queue()
            answers = await session.create_receiver(replies)
            open_one = await connection.create_session(transacted=True)
            await (await open_one.create_sender(BILLS)).send("bill")
            await asyncio.to_thread(scene.fail_over)
            sender = await session.create_producer()
            for number in range(10):
                await sender.send(number, destination=ORDERS)
            assert [await body(receiver) for _ in range(10)] == list(range(10))
            await sender.send("news", destination=NEWS)
            assert [await body(subscriber) for subscriber in subscribers] == ["news"] * 4
            await sender.send("seen", destination=Queue("observed"))
            await until(lambda: observed == ["seen"])
            await sender.send("after", destination=replies)
            assert await body(answers) == "after"
            await until(lambda: events and events[-1].kind == "restored")
            with pytest.raises(TransactionRolledBackError):
                await open_one.commit()
            await (await open_one.create_sender(BILLS)).send("bill")
            await open_one.commit()
            assert await body(await session.create_receiver(BILLS)) == "bill"
            assert events[0].server_id == scene.first.server_id
            assert (events[-1].server_id, events[-1].address) == (scene.second.server_id, scene.second.location)

    async def body(consumer: aio.Consumer) -> object:
        message = await consumer.receive(TIME_LIMIT)
        assert message is not None
        return message.body

    story()


@pytest.mark.parametrize("arrives", [True, False], ids=["decided before the kill", "never arrived"])
def test_a_commit_on_a_loop_is_resolved(scene: Scene, monkeypatch: pytest.MonkeyPatch, arrives: bool) -> None:
    @on_loop
    async def story() -> None:
        factory = aio.ConnectionFactory(scene.nameserver)
        async with factory.create_connection("app", "") as connection:
            async with connection.create_session() as plain, plain.create_sender(ORDERS) as sender:
                await sender.send("order")
            async with connection.create_session(transacted=True) as session:
                message = await (await session.create_receiver(ORDERS)).receive(TIME_LIMIT)
                assert message is not None
                await (await session.create_sender(BILLS)).send(message.body)
                lose_answer(monkeypatch, scene.first.kill, arrives=arrives)
                await session.commit()

    story()
    maker = scene.connect().create_session()
    assert drained(maker, BILLS, 1) == ["order"]
    assert drained(maker, ORDERS, 0) == []
