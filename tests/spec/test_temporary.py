"""Temporary destinations, requests and replies, Jakarta Messaging 3.1 §2.16 and §6.2.2: rows D11, D13, D14, P11."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.spec import bodies, next_of
from support.waiting import wait_for

from rmimom import (
    Connection,
    Destination,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    Message,
    Queue,
    Session,
    TemporaryQueue,
    TemporaryTopic,
    Topic,
)


def test_temporary_destinations_are_unique(connect: Callable[..., Connection]) -> None:
    """Each temporary queue and topic is a new one, with a name that the system gave it.

    Rows: D11. Assertions: T:144, T:243. Section: 6.2.2.
    """
    sessions = [connect().create_session() for _ in range(2)]
    made: list[Destination] = [one for session in sessions for one in (session.create_temporary_queue(),
                               session.create_temporary_queue(), session.create_temporary_topic())]  # fmt: skip
    assert len({str(one) for one in made}) == 6
    assert [isinstance(one, TemporaryQueue) for one in made] == [True, True, False] * 2
    assert [isinstance(one, TemporaryTopic) for one in made] == [False, False, True] * 2
    assert all(isinstance(one, Queue | Topic) for one in made)


def test_only_the_own_connection_consumes(connect: Callable[..., Connection]) -> None:
    """Any connection may send to a temporary destination; only that which made it may consume, in all its sessions.

    Rows: D11. Assertions: T:117, T:144, T:243. Section: 6.2.2.
    """
    own, other = connect(), connect().create_session()
    session = own.create_session()
    queue, topic = session.create_temporary_queue(), session.create_temporary_topic()
    receiver = own.create_session().create_receiver(queue)
    subscriber = own.create_session().create_subscriber(topic)
    other.create_sender(queue).send("a")
    other.create_publisher(topic).publish("b")
    assert (next_of(receiver).body, next_of(subscriber).body) == ("a", "b")
    with pytest.raises(JMSError, match="connection"):
        other.create_receiver(queue)
    with pytest.raises(JMSError, match="connection"):
        other.create_subscriber(topic)


def test_a_temporary_topic_has_no_durable_subscription(session: Session) -> None:
    """A durable subscription to a temporary topic is refused.

    Rows: D11. Assertions: T:243. Section: 6.2.2.
    """
    with pytest.raises(JMSError):
        session.create_subscriber(session.create_temporary_topic(), durable="never")


def test_temporary_destinations_end_with_their_connection(connect: Callable[..., Connection]) -> None:
    """After its connection is closed a temporary destination is no more: a send to it is refused.

    Rows: D11, C11. Assertions: T:117, T:144, T:174. Section: 6.2.2, 10.3.
    """
    own, other = connect(), connect().create_session()
    session = own.create_session()
    queue, topic = session.create_temporary_queue(), session.create_temporary_topic()
    session.close()
    other.create_sender(queue).send("still there, for the session does not matter")
    own.close()
    for gone in (queue, topic):
        with pytest.raises(InvalidDestinationError):
            other.create_producer(gone).send("a")


def test_deleting_a_temporary_destination(session: Session) -> None:
    """It can be deleted before, but not while it has a consumer; then nobody can send to it.

    Rows: D11. Assertions: T:117. Section: 6.2.2.
    """
    queue, topic = session.create_temporary_queue(), session.create_temporary_topic()
    for made in (queue, topic):
        consumer = session.create_receiver(made) if isinstance(made, Queue) else session.create_subscriber(made)
        with pytest.raises(IllegalStateError, match=r"consumer|subscriber"):
            made.delete()
        consumer.close()
        made.delete()
        with pytest.raises(InvalidDestinationError):
            session.create_producer(made).send("a")


@contextmanager
def answering(connection: Connection, where: Destination) -> Iterator[list[Message]]:
    """Somebody who answers each request at `where` in capitals, but says nothing to "nothing"."""
    asked: list[Message] = []
    session = connection.create_session()

    def answer(request: Message) -> None:
        asked.append(request)
        if request.body != "nothing":
            session.reply(request, request.body.upper())

    consumer = session.create_receiver(where) if isinstance(where, Queue) else session.create_subscriber(where)
    consumer.attach(answer)
    yield asked
    session.close()


def test_queue_requestor(connect: Callable[..., Connection], queue: Queue) -> None:
    """A requestor of a queue sends the request, with a temporary queue of its own to reply to, and returns the reply.

    Rows: D13. Assertions: T:273. Section: 4.1.7.
    """
    with answering(connect(), queue) as asked, connect().create_session().create_requestor(queue) as requestor:
        for question in ("one", "two"):
            reply = requestor.request(question)
            assert reply is not None
            assert reply.body == question.upper()
    assert isinstance(asked[0].reply_to, TemporaryQueue)
    assert asked[0].reply_to == asked[1].reply_to


def test_topic_requestor(connect: Callable[..., Connection], topic: Topic) -> None:
    """A requestor of a topic publishes the request, with a temporary topic of its own to reply to.

    Rows: D13. Assertions: T:170. Section: 4.2.10.
    """
    with answering(connect(), topic) as asked, connect().create_session().create_requestor(topic) as requestor:
        reply = requestor.request("one")
        assert reply is not None
        assert reply.body == "ONE"
    assert isinstance(asked[0].reply_to, TemporaryTopic)


def test_a_request_has_a_time_limit(connect: Callable[..., Connection], queue: Queue) -> None:
    """A request without an answer ends by its time limit, with nothing; the next one gets its own reply.

    Rows: D14. Section: 2.16.
    """
    with answering(connect(), queue), connect().create_session().create_requestor(queue) as requestor:
        assert requestor.request("nothing", timeout=0.5) is None
        reply = requestor.request("one")
        assert reply is not None
        assert reply.body == "ONE"


def test_replies_are_told_apart(connect: Callable[..., Connection], queue: Queue) -> None:
    """Which reply belongs to which request says the correlation id, in whatever order replies come.

    Rows: D14. Section: 2.16, 3.4.5.
    """
    asking, answering_session = connect().create_session(), connect().create_session()
    receiver = answering_session.create_receiver(queue)
    with asking.create_requestor(queue) as requestor:
        pending = [requestor.ask(question) for question in ("one", "two", "three")]
        requests = [next_of(receiver) for _ in pending]
        for request in reversed(requests):
            answering_session.reply(request, f"{request.body}!")
        replies = [one.result() for one in pending]
    assert [reply and reply.body for reply in replies] == ["one!", "two!", "three!"]
    assert [reply and reply.correlation_id for reply in replies] == [request.correlation_id for request in requests]


def test_request_and_reply_by_hand(connect: Callable[..., Connection], queue: Queue) -> None:
    """The parts suffice without a helper: a temporary queue, a reply-to, and a correlation id that is the message's id.

    Rows: D14. Section: 2.16, 3.4.5, 3.4.6.
    """
    client, server = connect().create_session(), connect().create_session()
    replies = client.create_temporary_queue()
    inbox = client.create_receiver(replies)
    question = Message("one", reply_to=replies)
    client.create_sender(queue).send(question)
    request = next_of(server.create_receiver(queue))
    assert request.reply_to == replies
    assert isinstance(request.reply_to, TemporaryQueue)
    server.create_producer().send("ONE", destination=request.reply_to, correlation_id=request.message_id)
    answer = next_of(inbox)
    assert (answer.body, answer.correlation_id) == ("ONE", question.message_id)


def test_one_send_to_several_destinations(session: Session, queue: Queue, topic: Topic) -> None:
    """One send to a composite destination puts a copy into each, which tells where it went.

    Rows: P11. Section: 7.1.
    """
    subscriber = session.create_subscriber(topic)
    many = session.composite(f"queue://{queue.name}.a,{queue.name}.b,topic://{topic.name}")
    session.create_producer(many).send("a")
    assert next_of(subscriber).destination == topic
    for part in ("a", "b"):
        found = next_of(session.create_receiver(Queue(f"{queue.name}.{part}")))
        assert (found.body, found.destination) == ("a", Queue(f"{queue.name}.{part}"))


def test_several_destinations_in_a_transaction(connection: Connection, queue: Queue) -> None:
    """In a transaction a send to several destinations happens with the commit, to all of them.

    Rows: P11, T1. Assertions: T:122. Section: 6.2.7.
    """
    work, looking = connection.create_session(transacted=True), connection.create_session()
    names = [f"{queue.name}.a", f"{queue.name}.b"]
    work.create_producer(work.composite(f"queue://{','.join(names)}")).send("a")
    for name in names:
        looking.create_sender(Queue(name)).send("first")
    work.commit()
    for name in names:
        assert bodies(looking.create_receiver(Queue(name)), 2) == ["first", "a"]


def test_nobody_waits_for_a_requestor_that_is_closed(connect: Callable[..., Connection], queue: Queue) -> None:
    """Who waits for a reply hears that the requestor was closed.

    Rows: D14. Section: 2.16.
    """
    requestor = connect().create_session().create_requestor(queue)
    results: list[object] = []

    def ask() -> None:
        try:
            results.append(requestor.request("nothing", timeout=None))
        except IllegalStateError as error:
            results.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    looking = connect().create_session()
    next_of(looking.create_receiver(queue))
    requestor.close()
    wait_for(lambda: results)
    assert isinstance(results[0], IllegalStateError)
    thread.join()
