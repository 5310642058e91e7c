"""The simplified interface, Jakarta Messaging 3.1 §2.8: rows C5 and C13."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import ServerProcess
from support.spec import bodies, next_of

import rmimom
from rmimom import (
    AcknowledgeMode,
    ConnectionFactory,
    Context,
    IllegalStateError,
    InvalidDestinationError,
    InvalidSelectorError,
    Message,
    MessageFormatError,
    Queue,
    Topic,
)


@pytest.fixture
def make(factory: ConnectionFactory) -> Iterator[Callable[..., Context]]:
    """Makes contexts, each with a connection of its own, and closes them in the end."""
    made: list[Context] = []

    def make(*arguments: Any, **options: Any) -> Context:
        made.append(factory.create_context("app", "", *arguments, **options))
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture
def context(make: Callable[..., Context]) -> Context:
    """A context that acknowledges by itself."""
    return make()


def test_three_lines(server: ServerProcess, queue: Queue) -> None:
    """Connect, send, receive: three lines.

    Rows: C13. Section: 2.8.
    """
    with rmimom.connect("app", "", uri=server.uri("rmimom.ConnectionFactory")) as context:
        context.send(queue, "tea")
        assert next_of(context.create_consumer(queue)).body == "tea"


def test_a_context_starts_by_itself(make: Callable[..., Context], queue: Queue) -> None:
    """The connection of a context is started with its first consumer; without autostart it waits for start.

    Rows: C5. Section: 6.1.4.
    """
    context, waiting = make(), make()
    waiting.autostart = False
    context.send(queue, "a")
    consumer = waiting.create_consumer(queue)
    assert consumer.receive(timeout=0.05) is None
    waiting.start()
    assert next_of(consumer).body == "a"
    context.send(queue, "b")
    consumer.close()
    assert next_of(context.create_consumer(queue)).body == "b"
    waiting.stop()
    assert waiting.create_consumer(queue).receive(timeout=0.01) is None


def test_contexts_of_one_connection(make: Callable[..., Context], queue: Queue) -> None:
    """A context makes another on its connection, in another mode; the connection is closed with the last of them.

    Rows: C13. Section: 2.8, 6.1.
    """
    first = make()
    second = first.create_context(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    assert second.connection is first.connection
    assert (first.mode, second.mode) == (AcknowledgeMode.AUTO_ACKNOWLEDGE, AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    first.close()
    second.send(queue, "a")
    second.close()
    for context in (first, second):
        with pytest.raises(IllegalStateError, match="closed"):
            context.send(queue, "b")
    with pytest.raises(IllegalStateError, match="closed"):
        second.create_context()
    first.close()
    second.close()


def test_kinds_of_consumers(make: Callable[..., Context], topic: Topic) -> None:
    """A context makes the consumers of each kind of subscription, and deletes durable ones.

    Rows: C13. Section: 2.8, 8.3.
    """
    context = make()
    names = [f"{topic.name}.{number}" for number in range(2)]
    consumers = [
        context.create_consumer(topic),
        context.create_shared_consumer(topic, topic.name),
        context.create_durable_consumer(topic, names[0]),
        context.create_shared_durable_consumer(topic, names[1]),
    ]
    selecting = context.create_consumer(topic, selector="n = 2")
    for number in (1, 2):
        context.send(topic, number, properties={"n": number})
    for consumer in consumers:
        assert bodies(consumer, 2) == [1, 2]
        consumer.close()
    assert next_of(selecting).body == 2
    for name in names:
        context.unsubscribe(name)
    with pytest.raises(InvalidDestinationError):
        context.unsubscribe(names[0])


def test_no_local_of_a_context(make: Callable[..., Context], topic: Topic) -> None:
    """A consumer with no_local gets nothing that its own connection sent.

    Rows: C13. Section: 8.3.1.
    """
    own, other = make(), make()
    consumer = own.create_consumer(topic, no_local=True)
    own.send(topic, "own")
    other.send(topic, "other")
    assert next_of(consumer).body == "other"


def test_a_browser_of_a_context(context: Context, queue: Queue) -> None:
    """A context browses a queue, with a selector if wanted.

    Rows: C13. Section: 4.1.6.
    """
    for number in range(3):
        context.send(queue, number, properties={"n": number})
    assert [message.body for message in context.create_browser(queue)] == [0, 1, 2]
    assert [message.body for message in context.create_browser(queue, "n > 1")] == [2]


def test_a_producer_has_settings(context: Context, queue: Queue) -> None:
    """What was set on a producer counts for all it sends: options, headers and properties.

    Rows: C13. Section: 7.4, 7.5, 7.6.
    """
    producer = context.create_producer().set(
        priority=7,
        persistent=False,
        time_to_live=60,
        delivery_delay=0.01,
        correlation_id="c",
        reply_to=queue,
        type="t",
        properties={"p": 1},
    )
    producer.send(queue, "a")
    message = next_of(context.create_consumer(queue))
    assert (message.priority, message.persistent, message.expiration - message.timestamp) == (7, False, 60_000)
    assert message.delivery_time - message.timestamp == 10
    assert (message.correlation_id, message.reply_to, message.type) == ("c", queue, "t")
    assert dict(message.properties) == {"p": 1}


def test_settings_of_a_producer_go_before_those_of_the_message(context: Context, queue: Queue) -> None:
    """A message's own headers and properties give way to those of the producer; others stay.

    Rows: C13. Section: 7.5, 7.6.
    """
    producer = context.create_producer().set(correlation_id="producer", properties={"p": "producer"})
    producer.send(queue, Message("a", correlation_id="own", type="own", properties={"p": "own", "q": "own"}))
    consumer = context.create_consumer(queue)
    message = next_of(consumer)
    assert (message.correlation_id, message.type) == ("producer", "own")
    assert dict(message.properties) == {"p": "producer", "q": "own"}
    producer.clear().send(queue, Message("b", correlation_id="own"))
    assert next_of(consumer).correlation_id == "own"


def test_a_dead_letter_is_sent_on_with_settings(make: Callable[..., Context], queue: Queue) -> None:
    """A received message, with properties of the provider, is sent on with its own properties and the producer's.

    Rows: C13. Section: 7.5.
    """
    context = make(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    context.send(queue, Message("a", properties={"p": 1}))
    consumer = context.create_consumer(queue)
    next_of(consumer).nack("spoilt", dead=True)
    letter = next_of(context.create_consumer(f"queue://DLQ.{queue.name}"))
    context.create_producer().set(properties={"q": 2}).send(queue, letter)
    assert dict(next_of(consumer).properties) == {"p": 1, "q": 2}


@pytest.mark.parametrize(
    "wrong", [{"priority": 10}, {"time_to_live": -1}, {"delivery_delay": "soon"}, {"properties": {"a b": 1}}]
)
def test_settings_are_looked_at(wrong: dict[str, Any], context: Context) -> None:
    """A setting that cannot be is refused when it is set.

    Rows: C13, C11. Assertions: T:177. Section: 7.4.
    """
    with pytest.raises(MessageFormatError):
        context.create_producer().set(**wrong)


def test_acknowledging_with_a_context(make: Callable[..., Context], queue: Queue) -> None:
    """acknowledge of a context acknowledges all that was delivered; recover begins after it.

    Rows: C13. Section: 6.2.10.
    """
    context = make(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    for number in range(3):
        context.send(queue, number)
    consumer = context.create_consumer(queue)
    assert bodies(consumer, 2) == [0, 1]
    context.acknowledge()
    assert next_of(consumer).body == 2
    context.recover()
    again = next_of(consumer)
    assert (again.body, again.redelivered) == (2, True)


def test_transactions_of_a_context(make: Callable[..., Context], queue: Queue) -> None:
    """A transacted context commits and rolls back; one that is not transacted refuses to.

    Rows: C13, T3. Assertions: T:171. Section: 6.2.7.
    """
    work, looking = make(transacted=True), make()
    assert work.transacted
    work.send(queue, "never")
    work.rollback()
    work.send(queue, "a")
    assert list(looking.create_browser(queue)) == []
    work.commit()
    assert [message.body for message in looking.create_browser(queue)] == ["a"]
    with pytest.raises(IllegalStateError, match="transacted"):
        looking.commit()
    with pytest.raises(IllegalStateError, match="transacted"):
        looking.rollback()


def test_errors_of_a_context(context: Context, queue: Queue, topic: Topic) -> None:
    """A context raises the errors of the classic interface: for selectors, destinations and what is closed.

    Rows: C13, C11. Assertions: T:175, T:174, T:171. Section: 10.3.
    """
    with pytest.raises(InvalidSelectorError):
        context.create_consumer(queue, selector="a =")
    for wrong in ("", "orders", "queue://", "queue://a b", "list://a"):
        with pytest.raises(InvalidDestinationError):
            context.send(wrong, "a")
        with pytest.raises(InvalidDestinationError):
            context.create_consumer(wrong)
    with pytest.raises(InvalidDestinationError):
        context.create_durable_consumer(str(queue), "name")
    with pytest.raises(InvalidDestinationError):
        context.create_browser(str(topic))
    context.close()
    for call in (context.create_producer().send, context.send):
        with pytest.raises(IllegalStateError, match="closed"):
            call(queue, "a")
    with pytest.raises(IllegalStateError, match="closed"):
        context.create_consumer(queue)


def test_going_through_messages(context: Context, queue: Queue) -> None:
    """consume goes through messages as they come and closes its consumer in the end.

    Rows: C13. Section: 8.5.
    """
    context.create_producer().send_many(queue, range(3))
    found: list[object] = []
    while len(found) < 3:  # on a slow machine the first wait may be over before they are here
        found += [message.body for message in context.consume(queue, timeout=0.2)]
    assert found == [0, 1, 2]
