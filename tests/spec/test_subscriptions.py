"""Queues, topics and subscriptions, Jakarta Messaging 3.1 §4 and §8.3: rows D1 to D10, D12, D16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.spec import bodies, next_of, wait_past

from rmimom import (
    AcknowledgeMode,
    Connection,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    Message,
    Queue,
    QueueBrowser,
    Session,
    Topic,
)

CLIENT = AcknowledgeMode.CLIENT_ACKNOWLEDGE


@pytest.fixture
def durable(name: str) -> str:
    """The name of a durable subscription of the test's own."""
    return f"durable-{name}"


# Queues.


def test_a_queue_keeps_messages(connect: Callable[..., Connection], queue: Queue) -> None:
    """A queue holds what is sent to it, whether a consumer is there or not, and after the sender is gone.

    Rows: D1. Assertions: T:150. Section: 4.1.2, 4.1.7.
    """
    connection = connect()
    connection.create_session().create_sender(queue).send_many(["a", "b"])
    connection.close()
    assert bodies(connect().create_session().create_receiver(queue), 2) == ["a", "b"]


def test_each_message_of_a_queue_has_one_consumer(connect: Callable[..., Connection], queue: Queue) -> None:
    """Of several consumers of a queue one gets each message.

    Rows: D1. Assertions: T:150. Section: 4.1.2.
    """
    receivers = [connect().create_session(CLIENT).create_receiver(queue, prefetch=1) for _ in range(2)]
    connect().create_session().create_sender(queue).send_many(["a", "b"])
    assert {next_of(receiver).body for receiver in receivers} == {"a", "b"}


# Topics.


def test_each_subscription_gets_a_copy(connect: Callable[..., Connection], topic: Topic) -> None:
    """Every subscription gets every message; one that is behind does not hold up another.

    Rows: D2. Assertions: T:126. Section: 6.2.14.
    """
    connection = connect()
    slow = connection.create_session().create_subscriber(topic, prefetch=1)
    quick = connection.create_session().create_subscriber(topic)
    connection.create_session().create_publisher(topic).send_many(range(20))
    assert bodies(quick, 20) == list(range(20))
    assert bodies(slow, 20) == list(range(20))


def test_copies_are_independent(connect: Callable[..., Connection], topic: Topic) -> None:
    """What is done with one copy changes no other: acknowledged here, it comes again there.

    Rows: D2. Assertions: T:162. Section: 4.2.2.
    """
    connection = connect()
    sessions = [connection.create_session(CLIENT) for _ in range(2)]
    one, other = [session.create_subscriber(topic) for session in sessions]
    connection.create_session().create_publisher(topic).send_many(["a", "b"])
    next_of(one).acknowledge()
    assert bodies(other, 2) == ["a", "b"]
    sessions[1].recover()
    assert [(m.body, m.redelivered) for m in (next_of(other), next_of(other))] == [("a", True), ("b", True)]
    second = next_of(one)
    assert (second.body, second.redelivered) == ("b", False)


# Unshared, not durable.


def test_a_plain_subscription_lives_as_long_as_its_subscriber(session: Session, topic: Topic) -> None:
    """It gets what is sent while its subscriber is open; what was sent before or between is not for it.

    Rows: D3, D4. Assertions: T:266, T:152. Section: 8.3.1.
    """
    publisher = session.create_publisher(topic)
    publisher.publish("before")
    subscriber = session.create_subscriber(topic)
    publisher.publish("during")
    assert next_of(subscriber).body == "during"
    publisher.publish("not received in time")
    subscriber.close()
    publisher.publish("between")
    subscriber = session.create_subscriber(topic)
    publisher.publish("later")
    assert next_of(subscriber).body == "later"


def test_selector_and_no_local_of_a_plain_subscription(connect: Callable[..., Connection], topic: Topic) -> None:
    """Only what the selector takes is added; with no_local nothing that the own connection published.

    Rows: D3, D9. Assertions: T:267, T:161. Section: 8.3.1.
    """
    own, other = connect(), connect()
    subscriber = own.create_session().create_subscriber(topic, selector="n > 1", no_local=True)
    for connection, who in ((own, "own"), (other, "other")):
        publisher = connection.create_session().create_publisher(topic)
        for number in (1, 2):
            publisher.publish(f"{who} {number}", properties={"n": number})
    other.create_session().create_publisher(topic).publish("last", properties={"n": 9})
    assert bodies(subscriber, 2) == ["other 2", "last"]


def test_each_plain_subscriber_has_a_subscription_of_its_own(session: Session, topic: Topic) -> None:
    """Two subscribers of one session are two subscriptions: each gets everything.

    Rows: D3. Assertions: T:268. Section: 8.3.1.
    """
    subscribers = [session.create_subscriber(topic) for _ in range(2)]
    session.create_publisher(topic).send_many(range(3))
    for subscriber in subscribers:
        assert bodies(subscriber, 3) == [0, 1, 2]


# Durable.


def test_a_durable_subscription_is_resumed(connect: Callable[..., Connection], topic: Topic, durable: str) -> None:
    """A subscriber with the same name, on a later connection, goes on where the one before it ended.

    Rows: D4. Assertions: T:153, T:154, T:164. Section: 8.3.3.
    """
    connection = connect()
    session = connection.create_session()
    subscriber = session.create_subscriber(topic, durable=durable)
    publisher = session.create_publisher(topic)
    publisher.send_many(["a", "b"])
    assert next_of(subscriber).body == "a"
    connection.close()
    connect().create_session().create_publisher(topic).publish("c")
    assert bodies(connect().create_session().create_subscriber(topic, durable=durable), 2) == ["b", "c"]


def test_what_a_durable_subscription_keeps_may_expire(session: Session, topic: Topic, durable: str) -> None:
    """Messages are kept for a subscriber that is away until they expire.

    Rows: D4. Assertions: T:154. Section: 8.3.3.
    """
    session.create_subscriber(topic, durable=durable).close()
    publisher = session.create_publisher(topic)
    mortal = Message("mortal")
    publisher.publish(mortal, time_to_live=0.001)
    publisher.publish("eternal")
    wait_past(mortal.expiration)
    assert next_of(session.create_subscriber(topic, durable=durable)).body == "eternal"


def test_a_durable_subscription_has_one_active_consumer(
    connect: Callable[..., Connection], topic: Topic, durable: str
) -> None:
    """While one session has a subscriber of it, a second is refused, in this connection and in another.

    Rows: D4, C11. Assertions: T:164, T:171. Section: 8.3.3.
    """
    connection = connect()
    subscriber = connection.create_session().create_subscriber(topic, durable=durable)
    for other in (connection, connect()):
        with pytest.raises(IllegalStateError, match=durable):
            other.create_session().create_subscriber(topic, durable=durable)
    subscriber.close()
    connect().create_session().create_subscriber(topic, durable=durable)


def test_durable_subscriptions_of_client_ids(connect: Callable[..., Connection], topic: Topic, durable: str) -> None:
    """A subscription belongs to the client id that it was made with: under another the same name is another one.

    Rows: D4, C3. Assertions: T:164. Section: 8.3.3, 6.1.2.
    """
    names = [f"{durable}-one", f"{durable}-two"]
    first = connect(client_id=names[0])
    first.create_session().create_subscriber(topic, durable=durable).close()
    connect().create_session().create_publisher(topic).publish("a")
    second = connect(client_id=names[1]).create_session()
    other = second.create_subscriber(topic, durable=durable)
    second.create_publisher(topic).publish("b")
    assert next_of(other).body == "b"
    session = first.create_session()
    own = session.create_subscriber(topic, durable=durable)
    assert bodies(own, 2) == ["a", "b"]


# Shared.


def test_a_shared_subscription_is_shared(connect: Callable[..., Connection], topic: Topic) -> None:
    """Each message goes to one of the subscribers of the name, in one session or several connections.

    Rows: D5. Assertions: T:269. Section: 8.3.2.
    """
    session = connect().create_session(CLIENT)
    sessions = [session, session, connect().create_session(CLIENT)]
    workers = [one.create_subscriber(topic, shared="work", prefetch=1) for one in sessions]
    session.create_publisher(topic).send_many(["a", "b", "c"])
    assert {next_of(worker).body for worker in workers} == {"a", "b", "c"}


def test_a_shared_subscription_ends_with_its_last_subscriber(session: Session, topic: Topic) -> None:
    """It lasts while any subscriber is there, and what waits in it ends with the last.

    Rows: D5. Assertions: T:269. Section: 8.3.2.
    """
    publisher = session.create_publisher(topic)
    first = session.create_subscriber(topic, shared="work")
    second = session.create_subscriber(topic, shared="work")
    first.close()
    publisher.publish("a")
    assert next_of(second).body == "a"
    publisher.publish("lost")
    second.close()
    third = session.create_subscriber(topic, shared="work")
    publisher.publish("b")
    assert next_of(third).body == "b"


def test_selector_of_a_shared_subscription(session: Session, topic: Topic) -> None:
    """Only what the selector takes is added to a shared subscription.

    Rows: D5. Assertions: T:270. Section: 8.3.2.
    """
    subscriber = session.create_subscriber(topic, shared="work", selector="n = 2")
    publisher = session.create_publisher(topic)
    for number in (1, 2):
        publisher.publish(number, properties={"n": number})
    assert next_of(subscriber).body == 2


def test_a_shared_subscription_in_use_cannot_change(session: Session, topic: Topic) -> None:
    """Another topic or selector under the name of a shared subscription that has a subscriber is refused.

    Rows: D5, D7. Assertions: T:271. Section: 8.3.2.
    """
    shared = f"work-{topic.name}"
    session.create_subscriber(topic, shared=shared, selector="n = 1")
    with pytest.raises(JMSError):
        session.create_subscriber(Topic(f"{topic.name}.other"), shared=shared, selector="n = 1")
    with pytest.raises(JMSError):
        session.create_subscriber(topic, shared=shared, selector="n = 2")
    with pytest.raises(JMSError):
        session.create_subscriber(topic, shared=shared)
    session.create_subscriber(topic, shared=shared, selector="n = 1")


def test_one_name_for_a_durable_and_a_shared_subscription(session: Session, topic: Topic, durable: str) -> None:
    """A durable subscription and a shared one that is not durable may have one name; they are two subscriptions.

    Rows: D5, D7. Assertions: T:271. Section: 8.3.2.
    """
    kept = session.create_subscriber(topic, durable=durable)
    shared = session.create_subscriber(topic, shared=durable)
    session.create_publisher(topic).publish("a")
    assert [next_of(one).body for one in (kept, shared)] == ["a", "a"]


def test_shared_durable(connect: Callable[..., Connection], topic: Topic, durable: str) -> None:
    """A shared durable subscription keeps messages without subscribers and shares them among those it has.

    Rows: D6. Assertions: T:274. Section: 8.3.4.
    """
    connection = connect()
    connection.create_session().create_subscriber(topic, durable=durable, shared=True).close()
    connect().create_session().create_publisher(topic).send_many(["a", "b"])
    workers = [
        one.create_session(CLIENT).create_subscriber(topic, durable=durable, shared=True, prefetch=1)
        for one in (connection, connect())
    ]
    assert {next_of(worker).body for worker in workers} == {"a", "b"}


def test_a_shared_durable_subscription_changes_only_at_rest(session: Session, topic: Topic, durable: str) -> None:
    """With another selector it is a new subscription while nobody uses it, and refused while somebody does.

    Rows: D6, D7. Assertions: T:272. Section: 8.3.4.
    """
    publisher = session.create_publisher(topic)
    subscriber = session.create_subscriber(topic, durable=durable, shared=True, selector="n = 1")
    with pytest.raises(JMSError):
        session.create_subscriber(topic, durable=durable, shared=True, selector="n = 2")
    subscriber.close()
    publisher.publish("old", properties={"n": 1})
    subscriber = session.create_subscriber(topic, durable=durable, shared=True, selector="n = 2")
    for number in (1, 2):
        publisher.publish(number, properties={"n": number})
    assert next_of(subscriber).body == 2


# Changes.


@pytest.mark.parametrize("change", ["topic", "selector", "no_local"])
def test_a_durable_subscription_that_is_changed_is_a_new_one(
    change: str, connect: Callable[..., Connection], topic: Topic, durable: str
) -> None:
    """Made again with another topic, selector or no_local, it loses what waited, as after an unsubscribe.

    Rows: D7, D6. Assertions: T:165, T:272. Section: 8.3.3.
    """
    session, sending = connect().create_session(), connect("sender").create_session()
    session.create_subscriber(topic, durable=durable, selector="n = 1").close()
    sending.create_publisher(topic).publish("old", properties={"n": 1})
    where = Topic(f"{topic.name}.other") if change == "topic" else topic
    subscriber = session.create_subscriber(
        where,
        durable=durable,
        selector="n < 3" if change == "selector" else "n = 1",
        no_local=change == "no_local",
    )
    sending.create_publisher(where).publish("new", properties={"n": 1})
    assert next_of(subscriber).body == "new"


@pytest.mark.parametrize("change", ["topic", "selector"])
def test_a_durable_subscription_in_use_cannot_change(
    change: str, connect: Callable[..., Connection], topic: Topic, durable: str
) -> None:
    """While it has a subscriber another topic or selector is refused, and the subscription stays what it is.

    Rows: D7. Assertions: T:272, T:165. Section: 8.3.3.
    """
    session = connect().create_session()
    subscriber = session.create_subscriber(topic, durable=durable, selector="n = 1")
    with pytest.raises(JMSError):
        session.create_subscriber(
            Topic(f"{topic.name}.other") if change == "topic" else topic,
            durable=durable,
            selector="n = 2" if change == "selector" else "n = 1",
        )
    session.create_publisher(topic).publish("a", properties={"n": 1})
    assert next_of(subscriber).body == "a"


def test_a_durable_name_is_shared_or_not(session: Session, topic: Topic, durable: str) -> None:
    """One durable name cannot be a shared and an unshared subscription, whichever came first.

    Rows: D7. Assertions: T:272. Section: 8.3.3, 8.3.4.
    """
    subscriber = session.create_subscriber(topic, durable=durable)
    with pytest.raises(JMSError):
        session.create_subscriber(topic, durable=durable, shared=True)
    subscriber.close()
    with pytest.raises(JMSError):
        session.create_subscriber(topic, durable=durable, shared=True)
    session.unsubscribe(durable)
    session.create_subscriber(topic, durable=durable, shared=True).close()
    with pytest.raises(JMSError):
        session.create_subscriber(topic, durable=durable)


# Unsubscribing.


def test_unsubscribe(session: Session, topic: Topic, durable: str) -> None:
    """unsubscribe deletes the subscription with what waits in it; it can be made anew, and deleted only once.

    Rows: D8. Assertions: T:166. Section: 8.3.3.
    """
    session.create_subscriber(topic, durable=durable).close()
    publisher = session.create_publisher(topic)
    publisher.publish("old")
    session.unsubscribe(durable)
    subscriber = session.create_subscriber(topic, durable=durable)
    publisher.publish("new")
    assert next_of(subscriber).body == "new"
    subscriber.close()
    session.unsubscribe(durable)
    with pytest.raises(InvalidDestinationError, match=durable):
        session.unsubscribe(durable)


def test_unsubscribe_while_in_use(connect: Callable[..., Connection], topic: Topic, durable: str) -> None:
    """unsubscribe is refused while the subscription has a subscriber, wherever that is.

    Rows: D8, C11. Assertions: T:166, T:171. Section: 8.3.3.
    """
    session = connect().create_session()
    subscriber = session.create_subscriber(topic, durable=durable)
    for other in (session, connect().create_session()):
        with pytest.raises(IllegalStateError, match=durable):
            other.unsubscribe(durable)
    subscriber.close()
    session.unsubscribe(durable)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("transacted", [False, True])
def test_a_subscription_whose_messages_are_not_done_with(
    transacted: bool, shared: bool, connect: Callable[..., Connection], topic: Topic, durable: str
) -> None:
    """With a message in an open transaction, or not acknowledged, it cannot be deleted or changed, though it is closed.

    Rows: D7, D8, D6. Assertions: T:166, T:272. Section: 8.3.3.
    """
    connection = connect()
    other = connection.create_session()
    session = connection.create_session(CLIENT, transacted=transacted)
    subscriber = session.create_subscriber(topic, durable=durable, shared=shared)
    other.create_publisher(topic).publish("a")
    message = next_of(subscriber)
    subscriber.close()
    with pytest.raises(JMSError, match=durable):
        other.unsubscribe(durable)
    with pytest.raises(JMSError, match=durable):
        other.create_subscriber(topic, durable=durable, shared=shared, selector="n = 1")
    session.commit() if transacted else message.acknowledge()
    session.close()
    other.create_subscriber(topic, durable=durable, shared=shared, selector="n = 1").close()
    other.unsubscribe(durable)


# No-local.


@pytest.mark.parametrize("durably", [False, True])
def test_no_local(durably: bool, connect: Callable[..., Connection], topic: Topic, durable: str) -> None:
    """With no_local a subscriber gets nothing of its own connection, and everything of others; without it, both.

    Rows: D9. Assertions: T:161, T:267. Section: 8.3.1, 8.3.3.
    """
    own, other = connect("somebody"), connect("else")
    session = own.create_session()
    subscriber = session.create_subscriber(topic, durable=durable if durably else None, no_local=True)
    everything = session.create_subscriber(topic)
    own.create_session().create_publisher(topic).publish("own")
    other.create_session().create_publisher(topic).publish("other")
    assert next_of(subscriber).body == "other"
    assert bodies(everything, 2) == ["own", "other"]


def test_no_local_of_a_durable_subscription_counts_for_the_client_id(
    connect: Callable[..., Connection], topic: Topic, durable: str
) -> None:
    """A durable subscription with no_local takes nothing from any connection of its client id, then and later.

    Rows: D9. Assertions: T:161. Section: 8.3.3.
    """
    client = f"client-{durable}"
    first = connect(client_id=client)
    first.create_session().create_subscriber(topic, durable=durable, no_local=True).close()
    first.close()
    later = connect(client_id=client)
    later.create_session().create_publisher(topic).publish("own, though another connection")
    connect().create_session().create_publisher(topic).publish("other")
    session = later.create_session()
    subscriber = session.create_subscriber(topic, durable=durable, no_local=True)
    assert next_of(subscriber).body == "other"


# Names.


@pytest.mark.parametrize("kind", ["durable", "shared"])
def test_names_of_subscriptions(kind: str, session: Session, topic: Topic) -> None:
    """A name may have letters, digits, _ . and -, and 128 characters and more.

    Rows: D10. Section: 4.2.4.
    """
    alphabet = "azAZ09_.-Straße"
    for name in (alphabet, "n" * 128):
        with session.create_subscriber(topic, **{kind: name}) as subscriber:
            session.create_publisher(topic).publish(name)
            assert next_of(subscriber).body == name
        if kind == "durable":
            session.unsubscribe(name)


# Browsers.


def test_a_browser_takes_nothing(session: Session, queue: Queue) -> None:
    """A browser shows the messages of a queue in order, as often as asked, and they stay, unflagged.

    Rows: D12. Assertions: T:148, T:149. Section: 4.1.6.
    """
    session.create_sender(queue).send_many(range(250))
    with session.create_browser(queue) as browser:
        assert isinstance(browser, QueueBrowser)
        for _ in range(2):
            assert [message.body for message in browser] == list(range(250))
    first = next_of(session.create_receiver(queue))
    assert (first.body, first.redelivered, first.delivery_count) == (0, False, 1)


def test_a_browser_with_a_selector(session: Session, queue: Queue) -> None:
    """A browser with a selector shows what the selector takes.

    Rows: D12. Assertions: T:149. Section: 4.1.6.
    """
    sender = session.create_sender(queue)
    for number in range(6):
        sender.send(number, properties={"n": number})
    assert [message.body for message in session.create_browser(queue, "n BETWEEN 2 AND 4")] == [2, 3, 4]


# Patterns.


def test_patterns_of_topics(session: Session, name: str) -> None:
    """A subscription to a pattern gets what is sent to any topic that fits, with the topic's own name.

    Rows: D16. Section: 4.2.2.
    """
    one = session.create_subscriber(Topic(f"{name}.*.alaska"))
    rest = session.create_subscriber(Topic(f"{name}.>"))
    producer = session.create_producer()
    for where in ("strong.alaska", "weak.alaska.south", "strong.hawaii", "weak.alaska"):
        producer.send(where, destination=Topic(f"{name}.{where}"))
    assert bodies(one, 2) == ["strong.alaska", "weak.alaska"]
    message = next_of(rest)
    assert message.destination == Topic(f"{name}.strong.alaska")
    assert bodies(rest, 3) == ["weak.alaska.south", "strong.hawaii", "weak.alaska"]


def test_patterns_of_queues(session: Session, name: str) -> None:
    """A receiver of a pattern gets what is in any queue that fits, which it names, and a browser shows it.

    Rows: D16. Section: 4.1.2.
    """
    producer = session.create_producer()
    for where in ("it", "us", "it.south"):
        producer.send(where, destination=Queue(f"{name}.{where}"))
    assert [message.body for message in session.create_browser(Queue(f"{name}.>"))] == ["it", "it.south", "us"]
    receiver = session.create_receiver(Queue(f"{name}.*"))
    producer.send("fr", destination=Queue(f"{name}.fr"))
    found = [next_of(receiver) for _ in range(3)]
    assert [message.body for message in found] == ["it", "us", "fr"]
    assert [message.properties["JMS_rmimom_taken_from"] for message in found] == [
        f"queue://{name}.{where}" for where in ("it", "us", "fr")
    ]
    assert bodies(session.create_receiver(Queue(f"{name}.it.south")), 1) == ["it.south"]
