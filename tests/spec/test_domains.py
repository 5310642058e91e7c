"""The interface of one kind of destination, Jakarta Messaging 3.1 §9.2: row C14, and the classic one, C12."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.spec import next_of

from rmimom import (
    Connection,
    IllegalStateError,
    Publisher,
    Queue,
    QueueSession,
    Receiver,
    Sender,
    Session,
    Subscriber,
    Topic,
    TopicSession,
)


@pytest.fixture
def queues(connection: Connection) -> QueueSession:
    """A session for queues."""
    return connection.create_queue_session()


@pytest.fixture
def topics(connection: Connection) -> TopicSession:
    """A session for topics."""
    return connection.create_topic_session()


def test_a_session_for_queues(queues: QueueSession, name: str) -> None:
    """A session for queues makes queues, senders, receivers, browsers and temporary queues.

    Rows: C14. Section: 9.2.
    """
    queue = queues.queue(name)
    sender = queues.create_sender(queue)
    sender.send("a")
    assert [message.body for message in queues.create_browser(queue)] == ["a"]
    assert next_of(queues.create_receiver(queue)).body == "a"
    own = queues.create_temporary_queue()
    queues.create_sender(own).send("b")
    assert next_of(queues.create_receiver(own)).body == "b"


def test_a_session_for_topics(topics: TopicSession, name: str) -> None:
    """A session for topics makes topics, publishers, subscribers of each kind and temporary topics, and unsubscribes.

    Rows: C14. Section: 9.2.
    """
    topic = topics.topic(name)
    subscribers = [topics.create_subscriber(topic), topics.create_subscriber(topic, durable=name)]
    topics.create_publisher(topic).publish("a")
    assert [next_of(subscriber).body for subscriber in subscribers] == ["a", "a"]
    subscribers[1].close()
    topics.unsubscribe(name)
    own = topics.create_temporary_topic()
    subscriber = topics.create_subscriber(own)
    topics.create_publisher(own).publish("b")
    assert next_of(subscriber).body == "b"


FORBIDDEN: list[tuple[str, Callable[[QueueSession, Topic], object]]] = [
    ("create_subscriber", lambda session, topic: session.create_subscriber(topic, durable="never")),
    ("create_temporary_topic", lambda session, topic: session.create_temporary_topic()),
    ("topic", lambda session, topic: session.topic(topic.name)),
    ("unsubscribe", lambda session, topic: session.unsubscribe("never")),
    ("create_subscriber", lambda session, topic: session.create_subscriber(topic, durable="never", shared=True)),
    ("create_subscriber", lambda session, topic: session.create_subscriber(topic, shared="never")),
    ("create_subscriber", lambda session, topic: session.create_subscriber(topic)),
    ("create_publisher", lambda session, topic: session.create_publisher(topic)),
]


@pytest.mark.parametrize(("method", "call"), FORBIDDEN)
def test_what_a_session_for_queues_forbids(
    method: str, call: Callable[[QueueSession, Topic], object], queues: QueueSession, topic: Topic
) -> None:
    """Topics, subscriptions of each kind and temporary topics are refused by a session for queues.

    Rows: C14, C11. Assertions: T:185.2-5, T:185.9-10, T:171. Section: 9.2.
    """
    with pytest.raises(IllegalStateError, match=f"QueueSession has no {method}"):
        call(queues, topic)


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("create_browser", lambda session, queue: session.create_browser(queue)),
        ("queue", lambda session, queue: session.queue(queue.name)),
        ("create_temporary_queue", lambda session, queue: session.create_temporary_queue()),
        ("create_sender", lambda session, queue: session.create_sender(queue)),
        ("create_receiver", lambda session, queue: session.create_receiver(queue)),
    ],
)
def test_what_a_session_for_topics_forbids(
    method: str, call: Callable[[TopicSession, Queue], object], topics: TopicSession, queue: Queue
) -> None:
    """Queues, browsers and temporary queues are refused by a session for topics.

    Rows: C14, C11. Assertions: T:185.6-8, T:171. Section: 9.2.
    """
    with pytest.raises(IllegalStateError, match=f"TopicSession has no {method}"):
        call(topics, queue)


def test_the_classic_interface(session: Session, queue: Queue, topic: Topic) -> None:
    """One session makes producers and consumers for both kinds of destination, of the class that fits.

    Rows: C12. Section: 2.7.
    """
    assert isinstance(session.create_producer(queue), Sender)
    assert isinstance(session.create_producer(topic), Publisher)
    assert isinstance(session.create_receiver(queue), Receiver)
    assert isinstance(session.create_subscriber(topic), Subscriber)
    assert session.queue(queue.name) == queue
    assert session.topic(topic.name) == topic
