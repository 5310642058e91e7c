"""Errors, Jakarta Messaging 3.1 §10: row C11; each is raised where it belongs and names what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rmimom
from rmimom import (
    Connection,
    ConnectionFactory,
    IllegalStateError,
    InvalidClientIDError,
    InvalidDestinationError,
    InvalidSelectorError,
    JMSError,
    JMSSecurityError,
    MessageEOFError,
    MessageFormatError,
    MessageNotReadableError,
    MessageNotWriteableError,
    MessageTooLargeError,
    Queue,
    ResourceAllocationError,
    Session,
    Topic,
    TransactionInProgressError,
    TransactionRolledBackError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IllegalStateError, "illegal-state"),
        (InvalidClientIDError, "invalid-client-id"),
        (InvalidDestinationError, "invalid-destination"),
        (InvalidSelectorError, "invalid-selector"),
        (JMSSecurityError, "security"),
        (MessageEOFError, "message-eof"),
        (MessageFormatError, "message-format"),
        (MessageNotReadableError, "message-not-readable"),
        (MessageNotWriteableError, "message-not-writeable"),
        (ResourceAllocationError, "resource-allocation"),
        (TransactionInProgressError, "transaction-in-progress"),
        (TransactionRolledBackError, "transaction-rolled-back"),
    ],
)
def test_the_standard_errors(error: type[JMSError], code: str) -> None:
    """Each standard exception is an error of ours, with a code for programs, a text, and the root JMSError.

    Rows: C11. Section: 10.3.
    """
    made = error("what was wrong", fact=1)
    assert isinstance(made, JMSError)
    assert (made.code, made.text, str(made), made.facts) == (code, "what was wrong", "what was wrong", {"fact": 1})
    assert getattr(rmimom, error.__name__) is error


@pytest.mark.parametrize("name", ["", "a b", "a*", "a\n", "x" * 256, 'a"', "a,b"])
def test_names_that_are_no_destinations(name: str, session: Session) -> None:
    """A name that no queue and no topic can have is refused, and the error shows it.

    Rows: C11. Assertions: T:174. Section: 10.3.
    """
    for make in (session.queue, session.topic):
        if make == session.topic and name == "a*":
            continue
        with pytest.raises(InvalidDestinationError, match="name"):
            make(name)


@pytest.mark.parametrize("wrong", [None, "orders", 7, object()])
def test_what_is_no_destination(wrong: Any, session: Session) -> None:
    """Something else where a destination is wanted is refused.

    Rows: C11. Assertions: T:174. Section: 10.3.
    """
    with pytest.raises(InvalidDestinationError):
        session.create_receiver(wrong)
    with pytest.raises(InvalidDestinationError):
        session.create_subscriber(wrong)
    with pytest.raises(InvalidDestinationError):
        session.create_browser(wrong)
    with pytest.raises(InvalidDestinationError):
        session.create_producer().send("a", destination=wrong)


def test_the_wrong_kind_of_destination(session: Session, queue: Queue, topic: Topic) -> None:
    """A topic where a queue is wanted, and the other way round, is refused, and so are names of the server's.

    Rows: C11. Assertions: T:174. Section: 10.3.
    """
    wrong: list[Callable[[], object]] = [
        lambda: session.create_receiver(topic),
        lambda: session.create_subscriber(queue),
        lambda: session.create_browser(topic),
        lambda: session.create_sender(topic),
        lambda: session.create_publisher(queue),
        lambda: session.create_publisher(Topic("a.*")),
        lambda: session.create_sender(Queue("rmimom.mine")).send("a"),
    ]
    for call in wrong:
        with pytest.raises(InvalidDestinationError):
            call()


def test_a_message_over_the_limit(session: Session, queue: Queue) -> None:
    """A message that is larger than the server takes is refused, naming both sizes, and the next one is taken.

    Rows: C11. Assertions: T:180. Section: 10.3.
    """
    sender = session.create_sender(queue)
    with pytest.raises(MessageTooLargeError, match=r"5000002 bytes.*max_message_size of 4194304") as caught:
        sender.send(b"x" * 5_000_000)
    assert isinstance(caught.value, ResourceAllocationError)
    sender.send("a")


def test_a_transaction_over_the_limit(connection: Connection, queue: Queue) -> None:
    """A transaction that becomes larger than the server takes at once is refused at the send that makes it so.

    Rows: C11. Assertions: T:180. Section: 10.3.
    """
    work = connection.create_session(transacted=True)
    sender = work.create_sender(queue)
    for _ in range(3):
        sender.send(b"x" * 1_000_000)
    with pytest.raises(ResourceAllocationError, match="transaction"):
        sender.send(b"x" * 2_000_000)
    work.rollback()
    sender.send("a")
    work.commit()
    assert len(list(connection.create_session().create_browser(queue))) == 1


def test_what_waits_for_the_end_of_a_transaction(connection: Connection, queue: Queue) -> None:
    """The outcome of a send in a transaction cannot be waited for before somebody commits.

    Rows: C11. Assertions: T:181. Section: 10.3.
    """
    work = connection.create_session(transacted=True)
    receipt = work.create_sender(queue).send_async("a")
    with pytest.raises(TransactionInProgressError, match="commit"):
        receipt.result(timeout=60)
    work.commit()
    receipt.result(timeout=60)


@pytest.mark.parametrize("client_id", ["a\nb", "x" * 1000, "a\x00"])
def test_client_ids_that_are_refused(client_id: str, factory: ConnectionFactory) -> None:
    """A client id that the server cannot take is refused.

    Rows: C11, C3. Assertions: T:173. Section: 10.3.
    """
    with pytest.raises(InvalidClientIDError):
        factory.create_connection("app", "", client_id=client_id)


def test_errors_tell_what_is_closed(connection: Connection, queue: Queue) -> None:
    """The use of something closed raises an error that names it: connection, session, producer, consumer, browser.

    Rows: C11, C6. Assertions: T:171, T:107. Section: 10.3.
    """
    session = connection.create_session()
    sender, receiver, browser = (
        session.create_sender(queue),
        session.create_receiver(queue),
        session.create_browser(queue),
    )
    for part in (sender, receiver, browser):
        part.close()
    named: list[tuple[str, Callable[[], object]]] = [
        ("Sender", lambda: sender.send("a")),
        (f"Receiver of queue://{queue.name}", lambda: receiver.receive(timeout=0)),
        (f"browser of queue://{queue.name}", lambda: list(browser)),
    ]
    for what, call in named:
        with pytest.raises(IllegalStateError, match=f"{what}.* is closed"):
            call()
    session.close()
    with pytest.raises(IllegalStateError, match="the session is closed"):
        session.create_sender(queue)
    connection.close()
    with pytest.raises(IllegalStateError, match="the connection is closed"):
        connection.create_session()
