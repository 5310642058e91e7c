"""Local transactions, Jakarta Messaging 3.1 §6.2.7: rows T1 to T5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import start_server
from support.spec import bodies, next_of

from rmimom import (
    AcknowledgeMode,
    Connection,
    ConnectionFactory,
    IllegalStateError,
    Queue,
    Session,
    Topic,
    TransactionRolledBackError,
)


@pytest.fixture
def work(connection: Connection) -> Session:
    """A transacted session."""
    return connection.create_session(transacted=True)


def test_commit_sends_and_acknowledges(work: Session, session: Session, queue: Queue, topic: Topic) -> None:
    """A commit acknowledges what was received and sends what was sent, to queues and topics; before, nobody sees it.

    Rows: T1. Assertions: T:122, T:130. Section: 6.2.7.
    """
    subscriber = session.create_subscriber(topic)
    out = Queue(f"{queue.name}.out")
    session.create_sender(queue).send_many(["a", "b"])
    receiver = work.create_receiver(queue)
    producer = work.create_producer()
    assert bodies(receiver, 2) == ["a", "b"]
    producer.send("to the queue", destination=out)
    producer.send("to the topic", destination=topic)
    session.create_sender(out).send("outside")
    assert [message.body for message in session.create_browser(out)] == ["outside"]
    session.create_publisher(topic).publish("outside")
    work.commit()
    assert [message.body for message in session.create_browser(out)] == ["outside", "to the queue"]
    assert bodies(subscriber, 2) == ["outside", "to the topic"]
    work.close()
    session.create_sender(queue).send("c")
    assert next_of(session.create_receiver(queue)).body == "c"


def test_commit_and_rollback_end_a_transaction(work: Session, session: Session, queue: Queue) -> None:
    """A transaction ends with commit or rollback, and the next one has begun then: each counts for itself.

    Rows: T1. Assertions: T:124, T:125. Section: 6.2.7.
    """
    sender = work.create_sender(queue)
    sender.send("first")
    work.commit()
    sender.send("second")
    work.rollback()
    sender.send("third")
    work.commit()
    work.commit()
    work.rollback()
    assert bodies(session.create_receiver(queue), 2) == ["first", "third"]


def test_rollback(work: Session, session: Session, queue: Queue) -> None:
    """A rollback destroys what was sent; what was received comes again in order, flagged.

    Rows: T2, T1. Assertions: T:123, T:130. Section: 6.2.7.
    """
    out = Queue(f"{queue.name}.out")
    session.create_sender(queue).send_many(["a", "b", "c"])
    receiver = work.create_receiver(queue)
    assert bodies(receiver, 2) == ["a", "b"]
    work.create_sender(out).send("never")
    work.rollback()
    again = [next_of(receiver) for _ in range(3)]
    assert [(one.body, one.redelivered) for one in again] == [("a", True), ("b", True), ("c", False)]
    work.create_sender(out).send("now")
    work.commit()
    assert [message.body for message in session.create_browser(out)] == ["now"]


def test_order_of_a_transaction(work: Session, session: Session, queue: Queue) -> None:
    """What a transaction sends to one destination keeps its order.

    Rows: T1, A13. Assertions: T:122, T:127. Section: 6.2.9.
    """
    sender, other = work.create_sender(queue), work.create_sender(Queue(f"{queue.name}.other"))
    for number in range(20):
        sender.send(number)
        other.send(number)
    work.commit()
    assert bodies(session.create_receiver(queue), 20) == list(range(20))


@pytest.mark.parametrize("mode", [mode for mode in AcknowledgeMode if mode is not AcknowledgeMode.SESSION_TRANSACTED])
def test_commit_belongs_to_transacted_sessions(mode: AcknowledgeMode, connection: Connection) -> None:
    """commit and rollback of a session that is not transacted are refused, naming its mode.

    Rows: T3, C11. Assertions: T:171. Section: 10.3.
    """
    session = connection.create_session(mode)
    assert not session.transacted
    with pytest.raises(IllegalStateError, match=f"commit needs a transacted session, but this one is {mode.name}"):
        session.commit()
    with pytest.raises(IllegalStateError, match=f"rollback needs a transacted session, but this one is {mode.name}"):
        session.rollback()


def test_acknowledge_means_nothing_in_a_transaction(work: Session, session: Session, queue: Queue) -> None:
    """acknowledge is ignored in a transacted session: a rollback still brings the message again.

    Rows: T3. Assertions: T:171. Section: 6.2.10.
    """
    assert work.transacted
    session.create_sender(queue).send("a")
    receiver = work.create_receiver(queue)
    next_of(receiver).acknowledge()
    work.rollback()
    again = next_of(receiver)
    assert (again.body, again.redelivered) == ("a", True)
    work.commit()


def test_close_of_the_session_rolls_back(work: Session, session: Session, queue: Queue) -> None:
    """Closing a transacted session rolls back: nothing was sent, and what was received is there for others.

    Rows: T4, C6. Assertions: T:111. Section: 6.2.15.
    """
    session.create_sender(queue).send("a")
    assert next_of(work.create_receiver(queue)).body == "a"
    work.create_sender(queue).send("never")
    work.close()
    again = next_of(session.create_receiver(queue))
    assert (again.body, again.redelivered) == ("a", True)
    assert list(session.create_browser(queue)) == []


def test_close_of_the_connection_rolls_back(connect: Callable[..., Connection], session: Session, queue: Queue) -> None:
    """Closing a connection rolls back the transactions of all its sessions.

    Rows: T4, C6. Assertions: T:104. Section: 6.1.8.
    """
    session.create_sender(queue).send("a")
    doomed = connect()
    for _ in range(2):
        doomed.create_session(transacted=True).create_sender(queue).send("never")
    assert next_of(doomed.create_session(transacted=True).create_receiver(queue)).body == "a"
    doomed.close()
    again = next_of(session.create_receiver(queue))
    assert (again.body, again.redelivered) == ("a", True)
    assert list(session.create_browser(queue)) == []


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_a_consumer_closed_in_a_transaction(
    ending: str, connection: Connection, session: Session, queue: Queue
) -> None:
    """What it received stays with the transaction; what it had not received, and what comes later, is for others.

    Rows: T1, T2. Assertions: T:123, T:125. Section: 6.2.7, 8.8.
    """
    sender = session.create_sender(queue)
    sender.send_many(["a", "b", "c"])
    work = connection.create_session(transacted=True)
    with work.create_receiver(queue) as receiver:
        assert next_of(receiver).body == "a"
    sender.send("d")
    other = session.create_receiver(queue)
    assert bodies(other, 3) == ["b", "c", "d"]
    work.commit() if ending == "commit" else work.rollback()
    sender.send("e")
    got = [(message.body, message.redelivered) for message in (next_of(other) for _ in range(1 + (ending != "commit")))]
    assert got == ([("e", False)] if ending == "commit" else [("a", True), ("e", False)])


def test_a_commit_that_ends_in_a_rollback(tmp_path: Path, queue: Queue) -> None:
    """When messages of a transaction went to others while the server was away, commit says that all was rolled back.

    Rows: T5, C11. Assertions: T:182. Section: 10.3.
    """
    data, options = tmp_path / "data", ("--recovery-grace", "0.1")
    with start_server(data, *options) as server:
        port = server.port
        connection = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory")).create_connection("app", "")
        work = connection.create_session(transacted=True)
        receiver, sender = work.create_receiver(queue), work.create_sender(queue)
        sender.send("a")
        work.commit()
        assert next_of(receiver).body == "a"
        sender.send("never")
        server.kill()
    # At another port, where the transaction's connection does not find it, somebody else takes the message.
    with start_server(data, *options) as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("other", "") as other:
            assert next_of(other.create_session().create_receiver(queue)).body == "a"
    with start_server(data, *options, port=port), connection:
        with pytest.raises(TransactionRolledBackError):
            work.commit()
        sender.send("next")
        work.commit()
        assert next_of(receiver).body == "next"
