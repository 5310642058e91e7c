"""Requests and replies against a real server (§2.16, §4.1.7; T:170, T:273)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, ServerProcess, start_server, wait_for

from rmimom import (
    Connection,
    ConnectionFactory,
    IllegalStateError,
    InvalidDestinationError,
    Message,
    Receiver,
    Requestor,
    Session,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "data") as running:
        yield running


@pytest.fixture
def factory(server: ServerProcess) -> ConnectionFactory:
    return ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))


@pytest.fixture
def asking(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection("ann") as connection:
        yield connection


@pytest.fixture
def responder(factory: ConnectionFactory) -> Iterator[tuple[Session, Receiver]]:
    with factory.create_connection("bob") as connection:
        session = connection.create_session()
        yield session, session.create_receiver(session.queue("questions"))


def take(receiver: Receiver) -> Message:
    message = receiver.receive(timeout=TIME_LIMIT)
    assert message is not None
    return message


def requestor_of(connection: Connection) -> Requestor:
    session = connection.create_session()
    return session.create_requestor(session.queue("questions"))


def test_each_reply_finds_its_request(asking: Connection, responder: tuple[Session, Receiver]) -> None:
    """Given several requests outstanding, when they are answered in another order, then each gets its own reply."""
    session, questions = responder
    with requestor_of(asking) as requestor:
        pending = [requestor.ask(f"{number}", persistent=False) for number in range(3)]
        assert not any(one.done() for one in pending)
        for question in reversed([take(questions) for _ in pending]):
            session.reply(question, f"answer to {question.body}")
        answers = [one.result(TIME_LIMIT) for one in pending]
        assert [answer.body if answer else None for answer in answers] == [f"answer to {n}" for n in range(3)]
        assert all(one.done() for one in pending)


def test_correlation_by_message_id(asking: Connection, responder: tuple[Session, Receiver]) -> None:
    """Some answer with the id of the message as correlation id (§3.4.5), whatever the request had."""
    session, questions = responder
    with requestor_of(asking) as requestor:
        pending = requestor.ask(Message("a", correlation_id="mine"))
        question = take(questions)
        assert question.correlation_id == "mine"
        assert question.reply_to is not None
        session.create_producer(question.reply_to).send("b", correlation_id=question.message_id)
        reply = pending.result(TIME_LIMIT)
        assert reply is not None
        assert reply.body == "b"


def test_late_replies_are_dropped(asking: Connection, responder: tuple[Session, Receiver]) -> None:
    session, questions = responder
    with requestor_of(asking) as requestor:
        assert requestor.request("too slow", timeout=0.1) is None
        session.reply(take(questions), "late")
        pending = requestor.ask("quick")
        question = take(questions)
        session.reply(question, "first")
        session.reply(question, "second")
        reply = pending.result(TIME_LIMIT)
        assert reply is not None
        assert reply.body == "first"
        assert requestor._pending == {}


def test_closing(asking: Connection, responder: tuple[Session, Receiver]) -> None:
    session, questions = responder
    requestor = requestor_of(asking)
    heard: list[type[Exception]] = []

    def wait() -> None:
        try:
            requestor.request("a", timeout=None)
        except IllegalStateError as error:
            heard.append(type(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    question = take(questions)
    requestor.close()
    requestor.close()
    waiting.join(TIME_LIMIT)
    assert heard == [IllegalStateError]
    with pytest.raises(IllegalStateError, match="closed"):
        requestor.request("b")
    with pytest.raises(InvalidDestinationError, match="gone"):
        session.reply(question, "c")


def test_closed_connection_ends_the_wait(factory: ConnectionFactory, responder: tuple[Session, Receiver]) -> None:
    connection = factory.create_connection("ann")
    requestor = requestor_of(connection)
    pending = requestor.ask("a")
    heard: list[type[Exception]] = []

    def wait() -> None:
        try:
            pending.result(None)
        except IllegalStateError as error:
            heard.append(type(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    take(responder[1])
    connection.close()
    waiting.join(TIME_LIMIT)
    assert heard == [IllegalStateError]
    requestor.close()


def test_what_cannot_be_asked(asking: Connection, responder: tuple[Session, Receiver]) -> None:
    session = responder[0]
    with pytest.raises(InvalidDestinationError, match="wants no reply"):
        session.reply(Message("a"), "b")
    with requestor_of(asking) as requestor:
        requestor.ask(Message("a", correlation_id="x"))
        with pytest.raises(IllegalStateError, match="outstanding"):
            requestor.ask(Message("b", correlation_id="x"))
        asking.stop()
        with pytest.raises(IllegalStateError, match="stopped"):
            requestor.ask("c")


def test_requests_of_a_topic(asking: Connection, factory: ConnectionFactory) -> None:
    """T:170: the first reply is the reply."""
    with factory.create_connection("bob") as connection:
        session = connection.create_session()
        subscriber = session.create_subscriber(session.topic("questions"))
        subscriber.attach(lambda question: session.reply(question, "here"))
        there = asking.create_session()
        with there.create_requestor(there.topic("questions")) as requestor:
            wait_for(lambda: (reply := requestor.request("anybody?", timeout=1)) and reply.body == "here", "reply")
