"""Subscriptions as the application sees them, with a server in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import ServerProcess, start_server

from rmimom.client.connection import Connection
from rmimom.client.consumer import Consumer
from rmimom.client.factory import ConnectionFactory
from rmimom.errors import IllegalStateError, InvalidDestinationError, InvalidSelectorError

PATIENCE = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    data: Path = tmp_path_factory.mktemp("server") / "data"
    with start_server(data) as running:
        yield running


@pytest.fixture
def factory(server: ServerProcess) -> ConnectionFactory:
    return ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection("ann", "secret") as made:
        yield made


def bodies(consumer: Consumer, count: int) -> list[object]:
    """The bodies of so many messages, and of what else is there."""
    found = []
    while message := consumer.receive(PATIENCE if len(found) < count else 0.05):
        found.append(message.body)
    return found


def test_subscribers_of_a_shared_subscription_compete(factory: ConnectionFactory, connection: Connection) -> None:
    """T:269, T:270: §8.3.2: each message added to the subscription is delivered to only one of its consumers."""
    with factory.create_connection("bob", "secret") as other, connection.create_session() as session:
        topic = session.topic("shared.work")
        alone = session.create_subscriber(topic)
        workers = [made.create_session().create_subscriber(topic, shared="work") for made in (connection, other)]
        with pytest.raises(IllegalStateError, match="another topic or selector"):
            session.create_subscriber(topic, shared="work", selector="a = 1")
        session.create_publisher(topic).publish_many(map(str, range(10)))
        shares = [bodies(worker, 5) for worker in workers]
        assert [len(share) for share in shares] == [5, 5]
        everything = list(map(str, range(10)))
        assert sorted(body for share in shares for body in share) == everything
        assert bodies(alone, 10) == everything


def test_a_shared_durable_subscription_stays(connection: Connection) -> None:
    """T:272, T:274: §8.3.4: it lives until it is unsubscribed, and no unshared one may have its name."""
    session = connection.create_session()
    topic = session.topic("shared.durable")
    session.create_subscriber(topic, durable="stays", shared=True).close()
    session.create_publisher(topic).publish("while nobody listens")
    with pytest.raises(IllegalStateError, match="is shared"):
        session.create_subscriber(topic, durable="stays")
    workers = [session.create_subscriber(topic, durable="stays", shared=True) for _ in range(2)]
    assert [body for worker in workers for body in bodies(worker, 1 if worker is workers[0] else 0)] == [
        "while nobody listens"
    ]
    with pytest.raises(IllegalStateError, match="active consumer"):
        session.unsubscribe("stays")
    for worker in workers:
        worker.close()
    session.unsubscribe("stays")
    with pytest.raises(InvalidDestinationError):
        session.unsubscribe("stays")


def test_a_pattern_subscribes_to_topics_now_and_later(connection: Connection) -> None:
    """Given a pattern, when topics come to be, then it has them; what is received says where it was sent."""
    session = connection.create_session()
    everything = session.create_subscriber(session.topic("weather.>"), durable="weather")
    cities = session.create_subscriber(session.topic("weather.*.rome"), selector="degrees > 20")
    publisher = session.create_publisher()
    for name, degrees in [("weather.it.rome", 30), ("weather.it.rome", 10), ("weather.it.rome.south", 40)]:
        publisher.publish(name, destination=session.topic(name), properties={"degrees": degrees})
    assert bodies(cities, 1) == ["weather.it.rome"]
    found = [everything.receive(PATIENCE) for _ in range(3)]
    assert [(one.body, one.destination.name) for one in found if one] == [
        (name, name) for name in ("weather.it.rome", "weather.it.rome", "weather.it.rome.south")
    ]
    with pytest.raises(InvalidDestinationError, match="can only be consumed from"):
        publisher.publish("x", destination=session.topic("weather.*"))
    everything.close()
    session.unsubscribe("weather")


@pytest.mark.parametrize(
    "options",
    [{"shared": True}, {"shared": ""}, {"shared": "one", "durable": "two"}, {"shared": "x", "durable": ""}],
)
def test_a_shared_subscription_has_one_name(connection: Connection, options: dict[str, object]) -> None:
    session = connection.create_session()
    with pytest.raises(InvalidDestinationError, match="name"):
        session.create_subscriber(session.topic("shared.bad"), **options)  # type: ignore[arg-type]


def test_a_browser_takes_nothing(connection: Connection) -> None:
    """T:148, T:149: §4.1.6: it shows what waits, what its selector takes of it, and leaves all as it was."""
    session = connection.create_session()
    queue = session.queue("browsed")
    sender = session.create_sender(queue)
    large = bytes(40_000)  # together more than the server keeps in memory
    for number in range(500):
        sender.send_async(large, properties={"number": number})
    sender.send("urgent", priority=9)
    sender.send("later", delivery_delay=3600)
    with session.create_browser(queue) as browser, session.create_browser(queue, "number >= 495") as some:
        for _ in range(2):
            shown = [message.properties.get("number") for message in browser]
            assert shown == [None, *range(500)]
        assert [(one.properties["number"], one.redelivered, one.body) for one in some] == [
            (number, False, large) for number in range(495, 500)
        ]
    with pytest.raises(IllegalStateError, match="closed"):
        list(browser)
    receiver = session.create_receiver(queue, prefetch=1)
    first = receiver.receive(PATIENCE)
    assert first is not None
    assert (first.body, first.redelivered, first.delivery_count) == ("urgent", False, 1)


def test_a_browser_with_a_bad_selector_is_refused(connection: Connection) -> None:
    """§4.1.6, §3.8.1.1: the syntax is checked when the browser is created."""
    session = connection.create_session()
    with pytest.raises(InvalidSelectorError):
        session.create_browser(session.queue("browsed.badly"), "number >=")
