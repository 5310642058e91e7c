"""Transacted sessions: all or nothing, whatever happens to the server meanwhile (Jakarta Messaging 3.1 §6.2.7)."""

from __future__ import annotations

import threading

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.consumer import Consumer
from rmimom.client.exchange import Exchange
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import SESSION_TRANSACTED, AcknowledgeMode
from rmimom.client.session import Session
from rmimom.client.transaction import Transaction
from rmimom.destination import Queue, Topic
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidDestinationError,
    ResourceAllocationError,
    TransactionInProgressError,
    TransactionRolledBackError,
)
from rmimom.frame import AckBatch, decode_frame
from rmimom.message import Message

Q, R = Queue("q"), Queue("r")


@pytest.fixture
def session(connection: Connection) -> Session:
    return connection.create_session(transacted=True)


def bodies(server: FakeServer) -> list[str]:
    return [decode_frame(frame).body.decode() for frame in server.broker.stored]


def fill(connection: Connection, *texts: str) -> None:
    connection.create_session().create_sender(Q).send_many(texts)


def take(consumer: Consumer, count: int) -> list[tuple[object, bool]]:
    got = [consumer.receive(60) for _ in range(count)]
    return [(message.body, message.redelivered) for message in got if message is not None]


# What a transaction is.


@pytest.mark.parametrize("mode", [SESSION_TRANSACTED, 0])
def test_a_mode_makes_a_session_transacted(connection: Connection, mode: AcknowledgeMode) -> None:
    """T:122, §6.2.7."""
    assert connection.create_session(mode).transacted
    assert connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE, transacted=True).mode is SESSION_TRANSACTED
    assert not connection.create_session().transacted


def test_commit_sends_and_acknowledges_in_one(connection: Connection, session: Session, server: FakeServer) -> None:
    """T1, T:122, T:123: over queues and a topic, in one call and in order."""
    fill(connection, "a", "b")
    watcher = connection.create_session().create_subscriber(Topic("t"))
    receiver = session.create_receiver(Q)
    assert take(receiver, 2) == [("a", False), ("b", False)]
    anyone = session.create_producer()
    anyone.send("1", destination=R)
    anyone.send("2", destination=Topic("t"))
    anyone.send("3", destination=R)
    assert (bodies(server), server.broker.acknowledged) == (["a", "b"], [])
    session.commit()
    assert (bodies(server)[2:], server.broker.acknowledged) == (["1", "3", "2"], [1, 2])
    assert len(server.broker.commits) == 1
    assert take(watcher, 1) == [("2", False)]


def test_transactions_follow_one_another(session: Session, server: FakeServer) -> None:
    """T1, T:124 (chained): each commit ends one transaction and begins the next, numbered from 1."""
    sender = session.create_sender(Q)
    for body in ("a", "b"):
        sender.send(body)
        session.commit()
    session.commit()  # of nothing, so nobody is asked
    assert bodies(server) == ["a", "b"]
    assert [request.number for request in server.broker.commits] == [1, 2]
    assert len({request.transaction for request in server.broker.commits}) == 1


def test_rollback_destroys_sends_and_redelivers_in_order(
    connection: Connection, session: Session, server: FakeServer
) -> None:
    """T2, T:123, T:125: what was received comes again, flagged, before what is younger."""
    fill(connection, "a", "b", "c")
    receiver = session.create_receiver(Q)
    take(receiver, 2)
    wait_for(lambda: len(receiver._intake.waiting) == 1)
    receipt = session.create_sender(R).send_async("never")
    session.rollback()
    with pytest.raises(TransactionRolledBackError):
        receipt.result()
    assert take(receiver, 3) == [("a", True), ("b", True), ("c", False)]
    session.commit()
    assert (bodies(server), server.broker.acknowledged) == (["a", "b", "c"], [1, 2, 3])


def test_a_message_is_sent_as_it_was(session: Session, server: FakeServer) -> None:
    """§6.2.7, §3.4.9 (T:15): what changes after the send does not count; its time is that of the send."""
    sender = session.create_sender(Q)
    message = Message({"n": 1})
    sender.send(message, time_to_live=60)
    expiration = message.expiration
    assert message.message_id
    message.body = {"n": 2}
    session.commit()
    [frame] = map(decode_frame, server.broker.stored)
    assert Message.from_frame(server.broker.stored[0]).body == {"n": 1}
    assert frame.expiration == expiration


def test_message_acknowledge_is_ignored(connection: Connection, session: Session, server: FakeServer) -> None:
    """T3, T:130."""
    fill(connection, "a")
    message = session.create_receiver(Q).receive(60)
    assert message is not None
    message.acknowledge()
    session.rollback()
    message.acknowledge()
    assert server.broker.acknowledged == []


def test_only_transacted_sessions_commit(connection: Connection, session: Session) -> None:
    """T3, T:171, §10.3; and only the others recover."""
    plain = connection.create_session()
    with pytest.raises(IllegalStateError, match="commit needs a transacted session"):
        plain.commit()
    with pytest.raises(IllegalStateError, match="rollback needs a transacted session"):
        plain.rollback()
    with pytest.raises(IllegalStateError, match="use rollback"):
        session.recover()
    session.close()
    with pytest.raises(IllegalStateError, match="closed"):
        session.commit()


@pytest.mark.parametrize("closed", ["session", "connection"])
def test_close_rolls_back(factory: ConnectionFactory, server: FakeServer, closed: str) -> None:
    """T4, T:104 (connection), T:111 (session)."""
    connection = factory.create_connection("app", "secret")
    fill(connection, "a")
    session = connection.create_session(transacted=True)
    take(session.create_receiver(Q), 1)
    receipt = session.create_sender(R).send_async("never")
    (session if closed == "session" else connection).close()
    assert isinstance(receipt.exception(), TransactionRolledBackError)
    assert (bodies(server), server.broker.acknowledged) == (["a"], [])
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [1]
    connection.close()


def test_a_closed_consumer_leaves_its_messages_to_the_transaction(
    connection: Connection, session: Session, server: FakeServer
) -> None:
    """§8.8: acknowledgements and transactions are the session's, not the consumer's."""
    fill(connection, "a", "b", "c")
    with session.create_receiver(Q, prefetch=1) as receiver:
        take(receiver, 1)
    session.commit()
    assert server.broker.acknowledged == [1]
    with session.create_receiver(Q, prefetch=1) as receiver:
        assert [body for body, _ in take(receiver, 1)] == ["b"]
    session.rollback()
    assert server.broker.consumers == []
    receiver = session.create_receiver(Q)
    assert take(receiver, 2) == [("b", True), ("c", False)]


def test_receipts_and_flush(session: Session, server: FakeServer) -> None:
    """P4 in a transaction: nothing is on its way before the commit, so nothing is waited for."""
    publisher = session.create_publisher(Topic("t"))
    first, second = publisher.publish_async("a"), publisher.publish_async("b")
    assert publisher.publish_many("cde") == 3
    publisher.flush()
    assert not first.done()
    with pytest.raises(TransactionInProgressError, match="commit"):
        second.result()
    session.commit()
    second.result()
    assert first.done()
    assert bodies(server) == list("abcde")


def test_more_than_max_in_flight(factory: ConnectionFactory, server: FakeServer) -> None:
    with factory.create_connection("app", "secret", max_in_flight=10) as connection:
        session = connection.create_session(transacted=True)
        assert session.create_sender(Q).send_many(map(str, range(100))) == 100
        session.commit()
    assert bodies(server) == list(map(str, range(100)))


# Observers.


def test_an_observer_commits(connection: Connection, session: Session, server: FakeServer) -> None:
    """T:123 with §8.7: commit in the observer takes in the message that it was called with."""
    sender = session.create_sender(R)

    def forward(message: Message) -> None:
        sender.send(f"{message.body}!")
        if message.body == "b":
            session.commit()

    session.create_receiver(Q).attach(forward)
    fill(connection, "a", "b", "c")
    wait_for(lambda: server.broker.acknowledged == [1, 2])
    session.close()
    assert bodies(server) == ["a", "b", "c", "a!", "b!"]


def test_an_observer_rolls_back(connection: Connection, session: Session) -> None:
    got: list[tuple[object, bool]] = []

    def listener(message: Message) -> None:
        got.append((message.body, message.redelivered))
        if len(got) == 2:
            session.rollback()
        elif len(got) == 3:
            raise ValueError("an error in a transaction is no rollback (§8.7)")

    session.create_receiver(Q).attach(listener)
    fill(connection, "a", "b")
    wait_for(lambda: len(got) == 4)
    assert got == [("a", False), ("b", False), ("a", True), ("b", True)]


# The server is lost, or refuses.


@pytest.mark.parametrize("when", ["commit", "commit, not done"])
def test_a_lost_answer_to_a_commit(connection: Connection, session: Session, server: FakeServer, when: str) -> None:
    """T1: the same request goes again under its number, and is done once, whether it was done before or not."""
    fill(connection, "a", "b")
    receiver = session.create_receiver(Q)
    take(receiver, 1)
    session.create_sender(R).send("x")
    server.plan_lost_reply(when)
    session.commit()
    first, second = server.broker.commits
    assert first == second
    assert (bodies(server), server.broker.acknowledged) == (["a", "b", "x"], [1])
    assert take(receiver, 1)[0][0] == "b"
    session.commit()
    assert server.broker.acknowledged == [1, 2]


def test_the_server_is_lost_before_the_commit(connection: Connection, session: Session, server: FakeServer) -> None:
    """Messages of the transaction are still held after the consumer was opened again."""
    fill(connection, "a")
    receiver = session.create_receiver(Q)
    take(receiver, 1)
    server.cut()
    session.create_sender(R).send("x")
    session.commit()
    assert (bodies(server), server.broker.acknowledged) == (["a", "x"], [1])


@pytest.mark.parametrize("work", ["receives", "sends", "both"])
def test_another_server_took_over_before_the_commit(
    connection: Connection, session: Session, server: FakeServer, work: str
) -> None:
    """T5, T:182: the open transaction was rolled back; the next one is not."""
    fill(connection, "a", "b")
    receiver = session.create_receiver(Q)
    receipt = session.create_sender(R).send_async("never") if work != "receives" else None
    if work != "sends":
        assert take(receiver, 1) == [("a", False)]
    take_over(connection, server)
    with pytest.raises(TransactionRolledBackError, match="was lost before the commit") as caught:
        session.commit()
    assert caught.value.facts["server"] == server.daemon.locationStr
    assert receipt is None or isinstance(receipt.exception(), TransactionRolledBackError)
    (first, again), (second, _) = take(receiver, 2)
    assert (first, second) == ("a", "b")
    assert again or work == "sends"
    session.create_sender(R).send("x")
    session.commit()
    assert (bodies(server), server.broker.acknowledged) == (["a", "b", "x"], [1, 2])


def test_a_rollback_after_another_server_took_over(
    connection: Connection, session: Session, server: FakeServer
) -> None:
    """Given that the application gives up by itself, then nothing is reported, and the next transaction is free."""
    session.create_sender(R).send("never")
    take_over(connection, server)
    session.rollback()
    session.create_sender(R).send("x")
    session.commit()
    assert bodies(server) == ["x"]


def test_nothing_was_open_when_another_server_took_over(
    connection: Connection, session: Session, server: FakeServer
) -> None:
    session.create_sender(R).send("x")
    session.commit()
    take_over(connection, server)
    session.create_sender(R).send("y")
    session.commit()
    assert bodies(server) == ["x", "y"]


def take_over(connection: Connection, server: FakeServer) -> None:
    """Lose the connection and find a server of another epoch."""
    restored = threading.Event()
    connection.on_event(lambda event: restored.set() if event.kind == "restored" else None)
    server.epoch += 1
    server.cut()
    connection._keeper.suspect()
    assert restored.wait(10)


def test_a_message_went_to_others(connection: Connection, session: Session, server: FakeServer) -> None:
    """T5, T:182: then nothing is sent, and only what is still ours comes again."""
    fill(connection, "a", "b")
    receiver = session.create_receiver(Q)
    take(receiver, 2)
    receipt = session.create_sender(R).send_async("never")
    with server.broker.lock:
        server.cut()
        server.broker.boxes["queue://q"].popleft()
    with pytest.raises(TransactionRolledBackError, match="others have"):
        session.commit()
    assert isinstance(receipt.exception(), TransactionRolledBackError)
    assert bodies(server) == ["a", "b"]
    assert take(receiver, 1) == [("b", True)]
    session.create_sender(R).send("x")
    session.commit()
    assert (bodies(server), server.broker.acknowledged) == (["a", "b", "x"], [2])


def test_a_subscription_that_ended_with_the_connection(
    connection: Connection, session: Session, server: FakeServer
) -> None:
    """What a plain subscriber received is nobody else's: the commit is not refused for it."""
    subscriber = session.create_subscriber(Topic("t"))
    connection.create_session().create_publisher(Topic("t")).publish("a")
    assert take(subscriber, 1) == [("a", False)]
    server.cut()
    session.create_sender(R).send("x")
    wait_for(lambda: not subscriber._intake.to_commit())
    session.commit()
    assert bodies(server) == ["a", "x"]
    assert server.broker.commits[-1].acks == []
    session.rollback()
    assert subscriber.receive_no_wait() is None


def test_a_refused_commit_can_be_repeated(connection: Connection, session: Session, server: FakeServer) -> None:
    """Another refusal than a rollback leaves the transaction as it is."""
    fill(connection, "a")
    take(session.create_receiver(Q), 1)
    sender = session.create_sender(R)
    receipt = sender.send_async("x")
    server.broker.refuse["queue://r"] = InvalidDestinationError("the queue was deleted")
    with pytest.raises(InvalidDestinationError):
        session.commit()
    assert not receipt.done()
    del server.broker.refuse["queue://r"]
    sender.send("y")
    session.commit()
    assert (bodies(server), server.broker.acknowledged) == (["a", "x", "y"], [1])


def in_doubt(connection: Connection, session: Session, server: FakeServer, when: str) -> None:
    """Bring the transaction in a state where its outcome is unknown to the session."""
    fill(connection, "a")
    take(session.create_receiver(Q), 1)
    session.create_sender(R).send("x")
    connection._exchange.patience = 0.0
    server.plan_lost_reply(when)
    while not server.broker.commits:  # without patience it may give up before it had a turn to ask
        with pytest.raises(ConnectionFailedError):
            session.commit()
    connection._exchange.patience = 60.0


def test_after_an_unknown_outcome_commit_finds_it_out(
    connection: Connection, session: Session, server: FakeServer
) -> None:
    """T1: a commit whose answer was lost for good can be repeated by the application."""
    in_doubt(connection, session, server, "commit")
    with pytest.raises(TransactionInProgressError, match="outcome"):
        session.create_sender(R).send("y")
    session.commit()
    session.create_sender(R).send("z")
    session.commit()
    assert (bodies(server), server.broker.acknowledged) == (["a", "x", "z"], [1])
    assert [request.number for request in server.broker.commits] == [1, 1, 2]


@pytest.mark.parametrize("when", ["commit", "commit, not done"])
def test_after_an_unknown_outcome_rollback_asks_the_server(
    connection: Connection, session: Session, server: FakeServer, when: str
) -> None:
    """A10: what the commit did acknowledge must not be delivered again by the rollback; what it did not, must."""
    in_doubt(connection, session, server, when)
    session.rollback()
    receiver = session._consumers[0]
    if when == "commit":
        assert receiver.receive(0.1) is None
        assert bodies(server) == ["a", "x"]
    else:
        assert take(receiver, 1) == [("a", True)]
        assert bodies(server) == ["a"]


def test_a_transaction_too_large_for_the_server(session: Session, server: FakeServer) -> None:
    """It travels as one message; the send that is too much is refused, and the rest can be committed."""
    sender = session.create_sender(Q)
    sender.send(bytes(600_000))
    with pytest.raises(ResourceAllocationError, match="commit more often"):
        sender.send(bytes(600_000))
    session.commit()
    sender.send(bytes(600_000))
    session.commit()
    assert len(server.broker.stored) == 2


def test_acknowledgements_count_in_the_size() -> None:
    transaction = Transaction(Exchange(max_in_flight=1, patience=1, on_lost=lambda error: None))
    transaction.add("queue://q", bytes(50), 100)
    with pytest.raises(ResourceAllocationError):
        transaction.begin([AckBatch(1, 0, list(range(10)))], 100)
    assert transaction.begin([], 100).number == 1


def test_another_thread_waits_for_the_receipt(session: Session, server: FakeServer) -> None:
    """Once a commit is under way a receipt may be waited for, and its waiter is woken."""
    receipt = session.create_sender(R).send_async("x")
    waited = threading.Event()

    def wait() -> None:
        receipt.result(10)
        waited.set()

    with server.broker.lock:  # the server answers no commit while we have this
        committer = threading.Thread(target=session.commit)
        committer.start()
        transaction = session._transaction
        assert transaction is not None
        wait_for(lambda: transaction.request is not None)
        waiter = threading.Thread(target=wait)
        waiter.start()
    committer.join(10)
    waiter.join(10)
    assert waited.is_set()
