"""A lost server: the connection finds it and is to it what it was before; nothing is lost, nothing comes twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.fake_server import FakeServer, hang_up
from support.waiting import wait_for

from rmimom.client import connection as connection_module
from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import CLIENT_ACKNOWLEDGE
from rmimom.destination import Queue, Topic
from rmimom.errors import ConnectionFailedError, IllegalStateError, InvalidDestinationError, JMSSecurityError
from rmimom.frame import DeliveryBatch, decode_frame, encode

Q = Queue("q")


class Scene:
    """A server that can be stopped and started again in the same place, and a connection to it."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.factory = ConnectionFactory(uri=self.server.uri)
        self.connections: list[Connection] = []

    def connect(self, **options: object) -> Connection:
        connection = self.factory.create_connection("app", "secret", **options)  # type: ignore[arg-type]
        self.connections.append(connection)
        return connection

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server = FakeServer(self.server.broker, self.server.port)

    def bodies(self) -> list[str]:
        return [decode_frame(frame).body.decode() for frame in self.server.broker.stored]


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    for connection in made.connections:
        connection.close()
    made.server.stop()


def events_of(connection: Connection) -> list[str]:
    events: list[str] = []
    connection.on_event(lambda event: events.append(event.kind))
    return events


def test_a_lost_reply_makes_no_duplicate(scene: Scene) -> None:
    """Promise 3: the server did the work and its answer was lost; the send is repeated and known."""
    connection = scene.connect()
    events = events_of(connection)
    sender = connection.create_session().create_sender(Q)
    sender.send("before")
    scene.server.plan_lost_reply("exchange")
    sender.send("x")
    sender.send("after")
    assert scene.bodies() == ["before", "x", "after"]
    wait_for(lambda: events == ["lost", "restored"])


def test_lost_replies_among_many_messages(scene: Scene) -> None:
    connection = scene.connect(max_in_flight=50)
    sender = connection.create_session().create_sender(Q)
    for number in range(1000):
        if number % 250 == 100:
            scene.server.plan_lost_reply("exchange")
        sender.send_async(str(number))
    sender.flush(20)
    assert scene.bodies() == [str(number) for number in range(1000)]


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_a_restart_is_a_pause(scene: Scene, delivery: str) -> None:
    """Producers and consumers go on over two restarts; every message comes once and in order."""
    connection = scene.connect(delivery=delivery)
    session = connection.create_session()
    receiver = session.create_receiver(Q, prefetch=10)
    got: list[object] = []

    def produce() -> None:
        sender = connection.create_session().create_sender(Q)
        for number in range(200):
            sender.send(number)
            if number in {50, 120}:
                scene.restart()

    producer = threading.Thread(target=produce)
    producer.start()
    while len(got) < 200:
        message = receiver.receive(20)
        assert message is not None
        got.append(message.body)
    producer.join()
    assert got == list(range(200))
    connection.close()
    assert len(set(scene.server.broker.acknowledged)) == 200
    assert len(scene.server.broker.acknowledged) == 200


def test_the_server_is_told_what_is_settled_and_held(scene: Scene) -> None:
    """docs/design/0001: a client that comes back says what it acknowledged unheard, and what it still works on."""
    connection = scene.connect()
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    session.create_sender(Q).send_many("abcd")
    first, second = receiver.receive(60), receiver.receive(60)
    assert first is not None
    assert second is not None
    wait_for(lambda: len(receiver._intake.waiting) == 2)
    scene.server.cut()
    wait_for(lambda: len(scene.server.resumed) == 2)
    assert scene.server.resumed[1] == (set(), [1, 2, 3, 4])
    scene.server.plan_lost_reply("exchange")
    second.acknowledge()
    assert scene.server.resumed[2] == ({1, 2}, [3, 4])
    # The answer that was lost was that of an acknowledgement which was carried out.
    assert scene.server.broker.acknowledged == [1, 2]
    got = [receiver.receive(60), receiver.receive(60)]
    assert [(message.body, message.redelivered) for message in got if message] == [("c", False), ("d", False)]


def test_what_went_to_others_meanwhile_disappears(scene: Scene) -> None:
    connection = scene.connect()
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    session.create_sender(Q).send_many("ab")
    wait_for(lambda: len(receiver._intake.waiting) == 2)
    with scene.server.broker.lock:
        scene.server.cut()
        scene.server.broker.boxes["queue://q"].popleft()
    wait_for(lambda: len(receiver._intake.waiting) == 1)
    message = receiver.receive(60)
    assert message is not None
    assert message.body == "b"


def test_durable_and_other_subscriptions_are_opened_again(scene: Scene) -> None:
    connection = scene.connect(client_id="one")
    session = connection.create_session()
    archive = session.create_subscriber(Topic("t"), durable="archive")
    passing = session.create_subscriber(Topic("t"), no_local=True)
    scene.restart()
    publisher = session.create_publisher(Topic("t"))
    publisher.publish("x")
    for subscriber in (archive, passing):
        message = subscriber.receive(60)
        assert message is not None
        assert message.body == "x"


def test_a_lost_answer_to_unsubscribing(scene: Scene) -> None:
    """It was done: asked again, the server knows no such subscription, which is what was wanted."""
    session = scene.connect(client_id="one").create_session()
    session.create_subscriber(Topic("t"), durable="archive").close()
    scene.server.plan_lost_reply("unsubscribe")
    session.unsubscribe("archive")
    assert scene.server.broker.topics["topic://t"] == set()
    with pytest.raises(InvalidDestinationError):
        session.unsubscribe("archive")


def test_observers_go_on(scene: Scene) -> None:
    connection = scene.connect()
    got: list[object] = []
    connection.create_session().create_receiver(Q).attach(lambda message: got.append(message.body))
    sender = connection.create_session().create_sender(Q)
    sender.send("a")
    wait_for(lambda: got == ["a"])
    scene.restart()
    sender.send("b")
    wait_for(lambda: got == ["a", "b"])


def test_a_consumer_may_be_opened_while_the_server_is_away(scene: Scene) -> None:
    connection = scene.connect()
    session = connection.create_session()
    scene.stop()
    threading.Timer(0.1, scene.start).start()
    receiver = session.create_receiver(Q)
    session.create_sender(Q).send("x")
    assert receiver.receive(60) is not None


def test_a_lost_answer_to_a_subscription(scene: Scene) -> None:
    """The server opened the consumer, nobody heard of it: it is opened again on the new connection, once."""
    connection = scene.connect()
    session = connection.create_session()
    session.create_receiver(Queue("first"))
    scene.server.plan_lost_reply("subscribe")
    session.create_receiver(Q)
    current = [consumer.number for consumer in scene.server.broker.consumers]
    assert sorted(current) == [1, 2]


def test_a_consumer_that_cannot_be_opened_again_is_closed(scene: Scene) -> None:
    connection = scene.connect()
    session = connection.create_session()
    gone, there = session.create_receiver(Q), session.create_receiver(Queue("r"))
    scene.server.broker.refuse["queue://q"] = InvalidDestinationError("the queue was deleted")
    scene.server.cut()
    with pytest.raises(InvalidDestinationError, match="was deleted"):
        gone.receive(60)
    session.create_sender(Queue("r")).send("x")
    assert there.receive(60) is not None


def test_a_subscription_still_held_by_the_old_connection_is_waited_for(scene: Scene) -> None:
    """The server may notice later than the client that a connection is gone."""
    connection = scene.connect(client_id="one")
    session = connection.create_session()
    subscriber = session.create_subscriber(Topic("t"), durable="archive")
    [old] = scene.server.connections
    old.client_id = ""
    old.unnoticed = True
    [conn] = old.sockets
    hang_up(conn)
    receipt = session.create_publisher(Topic("t")).publish_async("x")
    wait_for(lambda: scene.server.calls["subscribe"] >= 3)
    assert not receipt.done()
    scene.server.end(old)
    message = subscriber.receive(60)
    assert message is not None


def test_a_consumer_closed_while_it_is_opened_again_stays_closed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the server would hand it messages that nobody takes."""
    connection = scene.connect()
    session = connection.create_session()
    closed, there = session.create_receiver(Q), session.create_receiver(Queue("r"))
    resubscribe = connection._keeper._resubscribe

    def close_then(channel: Any, consumer: Any, *, give_up: bool) -> None:
        resubscribe(channel, consumer, give_up=give_up)
        closed.close()

    monkeypatch.setattr(connection._keeper, "_resubscribe", close_then)
    scene.server.cut()
    session.create_sender(Queue("r")).send("x")
    assert there.receive(60) is not None
    wait_for(lambda: [consumer.number for consumer in scene.server.broker.consumers] == [there._number])


def test_no_server_for_too_long(scene: Scene) -> None:
    """Waiting calls fail after reconnect_timeout; the search goes on and later calls work again."""
    connection = scene.connect(reconnect_timeout=0.2)
    events = events_of(connection)
    session = connection.create_session()
    sender, receiver = session.create_sender(Q), connection.create_session().create_receiver(Q)
    failures: list[BaseException] = []
    scene.stop()

    def receive() -> None:
        try:
            receiver.receive()
        except ConnectionFailedError as error:
            failures.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    receipt = sender.send_async("lost")
    with pytest.raises(ConnectionFailedError, match="no server for"):
        sender.send("lost too")
    thread.join(10)
    assert len(failures) == 1
    assert isinstance(receipt.exception(), ConnectionFailedError)
    with pytest.raises(ConnectionFailedError, match="the search goes on"):
        sender.send("at once")
    assert "looking for the server" in repr(connection)
    scene.start()
    wait_for(lambda: "restored" in events)
    sender.send("x")
    message = receiver.receive(60)
    assert message is not None
    assert message.body == "x"
    assert scene.bodies() == ["x"]
    assert events == ["lost", "failed", "restored"]


def test_closing_while_the_server_is_away(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "CLOSE_TIMEOUT", 0.1)
    connection = scene.connect()
    session = connection.create_session()
    session.create_receiver(Q)
    sender = session.create_sender(Q)
    scene.stop()
    receipt = sender.send_async("x")
    wait_for(lambda: connection._keeper.lost is not None)
    with pytest.raises(ConnectionFailedError, match="outcome is unknown"):
        connection.close()
    assert isinstance(receipt.exception(), IllegalStateError)
    connection.close()


def test_closing_waits_for_a_server_that_comes_back(scene: Scene) -> None:
    connection = scene.connect()
    sender = connection.create_session().create_sender(Q)
    scene.stop()
    receipt = sender.send_async("x")
    wait_for(lambda: connection._keeper.lost is not None)
    timer = threading.Timer(0.1, scene.start)
    timer.start()
    connection.close()
    timer.join()
    assert receipt.done()
    assert receipt.exception() is None
    assert scene.bodies() == ["x"]


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_a_batch_of_the_server_before_is_not_taken(scene: Scene, delivery: str) -> None:
    """It would count as a batch of the new server, whose own would then look like repetitions."""
    connection = scene.connect(delivery=delivery)
    session = connection.create_session()
    receiver = session.create_receiver(Q)
    life = connection._delivery.life
    events = events_of(connection)
    scene.server.cut()
    session.create_sender(Q).send("x")
    wait_for(lambda: "restored" in events)
    late = encode(DeliveryBatch(1000, [], []))
    with pytest.raises(ConnectionFailedError, match="given up"):
        connection._delivery.accept(life, memoryview(late))
    message = receiver.receive(60)
    assert message is not None
    assert message.body == "x"


def test_a_user_who_is_not_let_in_again(scene: Scene) -> None:
    connection = scene.connect()
    events = events_of(connection)
    sender = connection.create_session().create_sender(Q)
    scene.server.passwords["app"] = "changed"
    scene.server.cut()
    with pytest.raises(JMSSecurityError):
        sender.send("x")
    wait_for(lambda: events == ["lost", "failed"])


def test_the_server_closes_the_callback_connection(scene: Scene) -> None:
    """The client notices at once, not at the next heartbeat."""
    connection = scene.connect(delivery="callback")
    connection.create_session().create_receiver(Q)
    assert connection._delivery._callback is not None
    for conn in list(connection._delivery._callback._daemon._connections):
        hang_up(conn)
    wait_for(lambda: scene.server.calls["ping"] >= 1)


def test_the_pull_connection_is_lost(scene: Scene) -> None:
    connection = scene.connect(delivery="pull")
    receiver = connection.create_session().create_receiver(Q)
    scene.server.plan_lost_reply("fetch")
    connection.create_session().create_sender(Q).send_many("abc")
    got = [receiver.receive(60) for _ in range(3)]
    assert [message.body for message in got if message] == ["a", "b", "c"]


def test_an_interrupted_send_leaves_the_connection_usable(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while an answer is awaited: nobody may take that answer for another's."""
    connection = scene.connect()
    sender = connection.create_session().create_sender(Q)
    sender.send("a")
    channel = connection._exchange.channel
    assert channel is not None
    receive = type(channel)._receive

    def interrupted(self: object) -> object:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(type(channel), "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sender.send("b")
    assert type(channel)._receive is receive
    sender.send("c")
    assert scene.bodies() == ["a", "b", "c"]
