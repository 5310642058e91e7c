"""Connections, Jakarta Messaging 3.1 §5 and §6.1: rows C1 to C9."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import start_name_server, start_server
from support.spec import PATIENCE, bodies, next_of
from support.waiting import wait_for

import rmimom
from rmimom import (
    AcknowledgeMode,
    Connection,
    ConnectionFactory,
    ConnectionFailedError,
    IllegalStateError,
    InvalidClientIDError,
    InvalidDestinationError,
    InvalidSelectorError,
    JMSError,
    JMSSecurityError,
    Message,
    Queue,
    Receiver,
    Session,
    Topic,
)


def together(act: Callable[[int], object], count: int = 4) -> None:
    """Do the same in several threads at once; the first error of any is raised."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            act(number)
        except BaseException as error:  # noqa: BLE001  # raised below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if errors:
        raise errors[0]


# Administered objects.


def test_administered_objects_come_from_the_name_service(tmp_path: Path, queue: Queue) -> None:
    """The factory is found by its name, queues and topics have names of theirs there, and looking up holds nothing.

    Rows: C1. Assertions: T:191. Section: 5.1.
    """
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location):
        factory = ConnectionFactory(names.location)
        for _ in range(2):
            with factory.create_connection("app", "") as connection:
                connection.create_session().create_sender(queue).send("a")
        wanted = {"rmimom.ConnectionFactory", f"rmimom.queue.{queue.name}"}
        wait_for(lambda: wanted <= names.names().keys())


def test_destinations_are_for_many_threads(connect: Callable[..., Connection], queue: Queue) -> None:
    """One Queue object serves sessions in several threads at the same time.

    Rows: C1, C10. Assertions: T:89. Section: 5.2.
    """
    connection = connect()

    def work(number: int) -> None:
        connection.create_session().create_sender(queue).send(number)

    together(work)
    assert sorted(bodies(connection.create_session().create_receiver(queue), 4)) == [0, 1, 2, 3]


def test_the_factory_is_for_many_threads(factory: ConnectionFactory, queue: Queue) -> None:
    """One factory makes connections in several threads at the same time.

    Rows: C1, C10. Assertions: T:90. Section: 5.3.
    """

    def work(number: int) -> None:
        with factory.create_connection("app", "") as connection:
            connection.create_session().create_sender(queue).send(number)

    together(work)
    with factory.create_connection("app", "") as connection:
        assert len(list(connection.create_session().create_browser(queue))) == 4


# User and password.


def test_user_and_password(tmp_path: Path, queue: Queue) -> None:
    """With users on the server a connection needs name and password; what is wrong is refused as a matter of security.

    Rows: C2, C11. Assertions: T:92, T:172. Section: 6.1.1, 10.3.
    """
    with start_server(tmp_path / "data") as server:
        with server.administration() as administration:
            administration.put_user("ann", "a long password")
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann", "a long password") as connection:
            connection.create_session().create_sender(queue).send("a")
        for user, password in (("ann", "guess"), ("ann", ""), ("bob", "a long password")):
            with pytest.raises(JMSSecurityError):
                factory.create_connection(user, password)


# Client id.


def test_a_client_id_is_in_use_once(connect: Callable[..., Connection], name: str) -> None:
    """A second connection with a client id that is in use is refused; after a close the id is free.

    Rows: C3, C11. Assertions: T:95, T:173. Section: 6.1.2, 10.3.
    """
    first = connect(client_id=name)
    assert first.client_id == name
    with pytest.raises(InvalidClientIDError, match=name):
        connect(client_id=name)
    first.close()
    assert connect(client_id=name).client_id == name


def test_a_client_id_is_set_first(connect: Callable[..., Connection], name: str) -> None:
    """A client id can be set directly after the connection was made; after anything else that is refused.

    Rows: C3. Assertions: T:198, T:94. Section: 6.1.2.
    """
    connection = connect(start=False)
    connection.client_id = name
    assert connection.client_id == name
    uses: list[Callable[[Connection], object]] = [
        lambda used: used.create_session(),
        lambda used: used.start(),
        lambda used: used.stop(),
        lambda used: setattr(used, "exception_listener", print),
    ]
    for use in uses:
        used = connect(start=False)
        use(used)
        with pytest.raises(IllegalStateError, match="before anything else"):
            used.client_id = f"{name}.late"


def test_a_client_id_is_not_changed(connect: Callable[..., Connection], name: str) -> None:
    """A client id that was set, here or by the factory, cannot be set again.

    Rows: C3. Assertions: T:93. Section: 6.1.2.
    """
    by_hand = connect(start=False)
    by_hand.client_id = name
    for connection in (by_hand, connect(client_id=f"{name}.made", start=False)):
        before = connection.client_id
        with pytest.raises(IllegalStateError, match=before):
            connection.client_id = f"{name}.other"
        assert connection.client_id == before


def test_a_client_id_in_use_cannot_be_set(connect: Callable[..., Connection], name: str, topic: Topic) -> None:
    """Setting a client id that another connection has is refused, and the connection can go on without.

    Rows: C3, C11. Assertions: T:95, T:173. Section: 6.1.2, 10.3.
    """
    connect(client_id=name)
    connection = connect(start=False)
    with pytest.raises(InvalidClientIDError, match=name):
        connection.client_id = name
    connection.client_id = f"{name}.free"
    connection.create_session().create_subscriber(topic, durable=name).close()


# Exception listener and facts.


def test_the_exception_listener_hears_what_nobody_else_does(tmp_path: Path, name: str) -> None:
    """It is told of a server that is lost for good, and of consumers that a server refuses later, one after the other.

    An error that a call raises is not told, and a connection without a listener tells nobody.

    Rows: C8. Assertions: T:109, T:187, T:200. Section: 6.1.7.
    """

    class Listener:
        def __init__(self) -> None:
            self.errors: list[JMSError] = []
            self.inside = self.most = 0

        def on_exception(self, error: JMSError) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)
            threading.Event().wait(0.01)  # another call would come in now
            self.errors.append(error)
            self.inside -= 1

    listener = Listener()
    with start_server(tmp_path / "data") as server:
        port = server.port
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        told, untold = [factory.create_connection("app", "", reconnect_timeout=0.1) for _ in range(2)]
        assert told.exception_listener is None
        told.exception_listener = listener
        assert told.exception_listener is listener
        session = told.create_session()
        with pytest.raises(InvalidSelectorError):
            session.create_receiver(Queue(name), selector="a =")
        for number in range(3):
            session.create_receiver(Queue(f"{name}.{number}")).attach(print)
        server.kill()
    wait_for(lambda: listener.errors, PATIENCE)
    assert [type(error) for error in listener.errors] == [ConnectionFailedError]
    # Another server at the same place, which does not know these queues and makes none.
    with start_server(tmp_path / "other", "--no-auto-create", port=port), told, untold:
        wait_for(lambda: len(listener.errors) == 4, PATIENCE)
    assert [type(error) for error in listener.errors[1:]] == [InvalidDestinationError] * 3
    assert listener.most == 1


def test_facts_about_the_connection(connection: Connection) -> None:
    """The connection tells which specification, which provider, and which JMSX properties it knows.

    Rows: C9. Assertions: T:31. Section: 6.1.6, 3.5.9.
    """
    facts = connection.metadata
    assert (facts.jms_version, facts.jms_major_version, facts.jms_minor_version) == ("3.1", 3, 1)
    assert facts.provider_name == "rmimom"
    assert facts.provider_version == rmimom.__version__
    major, minor = rmimom.__version__.split(".")[:2]
    assert (facts.provider_major_version, facts.provider_minor_version) == (int(major), int(minor))
    assert {"JMSXGroupID", "JMSXGroupSeq", "JMSXDeliveryCount"} <= set(facts.jmsx_property_names)
    assert all(one.startswith("JMSX") for one in facts.jmsx_property_names)


# Start and stop.


def test_nothing_is_delivered_before_start(connect: Callable[..., Connection], queue: Queue) -> None:
    """A connection made with start=False delivers nothing until it is started: not to receive, and not to a listener.

    Rows: C4. Assertions: T:97. Section: 6.1.4.
    """
    stopped = connect(start=False)
    session, listening = stopped.create_session(), stopped.create_session()
    receiver = session.create_receiver(queue)
    heard: list[object] = []
    listening.create_receiver(Queue(f"{queue.name}.heard")).attach(lambda message: heard.append(message.body))
    sending = connect().create_session()
    sending.create_sender(queue).send("a")
    sending.create_sender(Queue(f"{queue.name}.heard")).send("b")
    assert receiver.receive(timeout=0.05) is None
    assert heard == []
    stopped.start()
    assert next_of(receiver).body == "a"
    wait_for(lambda: heard == ["b"])


def test_a_connection_may_be_started_before_it_is_set_up(connect: Callable[..., Connection], queue: Queue) -> None:
    """A started connection delivers to consumers that are made later.

    Rows: C4. Assertions: T:96. Section: 6.1.3.
    """
    connection = connect(start=False)
    connection.start()
    session = connection.create_session()
    session.create_sender(queue).send("a")
    assert next_of(session.create_receiver(queue)).body == "a"


def test_sending_does_not_need_start(connect: Callable[..., Connection], queue: Queue) -> None:
    """A stopped connection sends.

    Rows: C4. Assertions: T:98. Section: 6.1.3.
    """
    stopped = connect(start=False)
    stopped.create_session().create_sender(queue).send("a")
    stopped.start()
    stopped.stop()
    stopped.create_session().create_sender(queue).send("b")
    assert bodies(connect().create_session().create_receiver(queue), 2) == ["a", "b"]


def test_start_and_stop_twice(connection: Connection, queue: Queue) -> None:
    """A start of a started connection and a stop of a stopped one do nothing.

    Rows: C4. Assertions: T:99. Section: 6.1.5.
    """
    session = connection.create_session()
    receiver = session.create_receiver(queue)
    connection.start()
    connection.start()
    connection.stop()
    connection.stop()
    session.create_sender(queue).send("a")
    assert receiver.receive(timeout=0.01) is None
    connection.start()
    assert next_of(receiver).body == "a"


def test_stop_holds_messages_back(connection: Connection, queue: Queue, topic: Topic) -> None:
    """After stop nothing is delivered, to receive or listeners, until start; nothing is lost by it.

    Rows: C4. Assertions: T:100. Section: 6.1.5.
    """
    session, listening, sending = [connection.create_session() for _ in range(3)]
    receiver = session.create_receiver(queue)
    heard: list[object] = []
    listening.create_subscriber(topic).attach(lambda message: heard.append(message.body))
    sending.create_sender(queue).send("a")
    sending.create_publisher(topic).publish("a")
    assert next_of(receiver).body == "a"
    wait_for(lambda: heard == ["a"])
    connection.stop()
    sending.create_sender(queue).send("b")
    sending.create_publisher(topic).publish("b")
    assert receiver.receive(timeout=0.05) is None
    assert heard == ["a"]
    connection.start()
    assert next_of(receiver).body == "b"
    wait_for(lambda: heard == ["a", "b"])


def test_stop_waits_for_a_listener(connection: Connection, queue: Queue) -> None:
    """stop returns after the listener that runs, which has the connection's services meanwhile; the next is not called.

    Rows: C4. Assertions: T:101. Section: 6.1.5.
    """
    session, sending = connection.create_session(), connection.create_session()
    entered, leave, stopped = threading.Event(), threading.Event(), threading.Event()
    done: list[object] = []
    out = Queue(f"{queue.name}.out")

    def listen(message: Message) -> None:
        entered.set()
        assert leave.wait(PATIENCE)
        session.create_sender(out).send("answer")
        done.append(message.body)

    session.create_receiver(queue).attach(listen)
    sending.create_sender(queue).send_many(["a", "b"])
    assert entered.wait(PATIENCE)

    def stop() -> None:
        connection.stop()
        done.append("stopped")
        stopped.set()

    stopping = threading.Thread(target=stop)
    stopping.start()
    assert not stopped.wait(0.05)
    leave.set()
    stopping.join(PATIENCE)
    assert done == ["a", "stopped"]
    assert [message.body for message in sending.create_browser(out)] == ["answer"]
    connection.start()
    wait_for(lambda: done == ["a", "stopped", "b"])


def test_receive_timers_run_on_while_stopped(connection: Connection, queue: Queue) -> None:
    """receive with a limit ends by it while the connection is stopped, with nothing.

    Rows: C4. Assertions: T:101. Section: 6.1.5.
    """
    session = connection.create_session()
    receiver = session.create_receiver(queue)
    session.create_sender(queue).send("a")
    connection.stop()
    assert receiver.receive(timeout=0.02) is None
    connection.start()
    assert next_of(receiver).body == "a"


# Closing.


def test_close_ends_receives(connect: Callable[..., Connection], queue: Queue) -> None:
    """A receive that waits in another thread returns nothing when the connection is closed.

    Rows: C6. Assertions: T:103, T:110. Section: 6.1.8.
    """
    for whole in (True, False):
        connection = connect()
        session = connection.create_session()
        receiver = session.create_receiver(queue)
        results: list[object] = []

        def receive(receiver: Receiver = receiver, results: list[object] = results) -> None:
            results.append(next_of(receiver).body)
            results.append(receiver.receive())

        thread = threading.Thread(target=receive)
        thread.start()
        connect().create_session().create_sender(queue).send("a")
        wait_for(lambda results=results: results == ["a"])
        connection.close() if whole else session.close()
        thread.join(PATIENCE)
        assert results == ["a", None]


def test_close_acknowledges_nothing(connect: Callable[..., Connection], queue: Queue) -> None:
    """Closing a connection does not acknowledge what a CLIENT_ACKNOWLEDGE session received.

    Rows: C6. Assertions: T:105. Section: 6.1.8.
    """
    connection = connect()
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    session.create_sender(queue).send("a")
    next_of(session.create_receiver(queue))
    connection.close()
    again = next_of(connect().create_session().create_receiver(queue))
    assert (again.body, again.redelivered) == ("a", True)


@pytest.mark.parametrize("what", ["connection", "session"])
def test_messages_of_what_is_closed(what: str, connect: Callable[..., Connection], queue: Queue) -> None:
    """A message outlives its connection and session and can be read, changed and sent on, but not acknowledged.

    Rows: C6. Assertions: T:106, T:199, T:113. Section: 6.1.8, 6.2.15.
    """
    connection = connect()
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    session.create_sender(queue).send(Message({"n": 1}, properties={"p": 2}))
    message = next_of(session.create_receiver(queue))
    (connection if what == "connection" else session).close()
    assert (message.body, dict(message.properties), message.destination) == ({"n": 1}, {"p": 2}, queue)
    with pytest.raises(IllegalStateError, match="closed"):
        message.acknowledge()
    connect().create_session().create_sender(Queue(f"{queue.name}.out")).send(message)


def test_use_of_a_closed_connection(connect: Callable[..., Connection], queue: Queue, topic: Topic) -> None:
    """Everything but close is refused on a closed connection and on what it made, each naming what is closed.

    Rows: C6, C11. Assertions: T:107, T:171. Section: 6.1.8.
    """
    connection = connect()
    session = connection.create_session()
    transacted = connection.create_session(transacted=True)
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    browser = session.create_browser(queue)
    connection.close()
    calls: list[Callable[[], object]] = [
        connection.create_session,
        connection.start,
        connection.stop,
        lambda: session.create_sender(queue),
        session.create_producer,
        lambda: session.create_receiver(queue),
        lambda: session.create_subscriber(topic),
        lambda: session.create_browser(queue),
        lambda: session.unsubscribe("a"),
        session.recover,
        transacted.commit,
        transacted.rollback,
        lambda: sender.send("a"),
        lambda: sender.send_async("a"),
        lambda: receiver.receive(timeout=0),
        receiver.receive_no_wait,
        lambda: receiver.attach(print),
        lambda: list(browser),
    ]
    for call in calls:
        with pytest.raises(IllegalStateError, match="closed"):
            call()


def test_close_twice(connect: Callable[..., Connection], queue: Queue) -> None:
    """close of what is closed, or belongs to what is closed, does nothing and raises nothing.

    Rows: C6. Assertions: T:108, T:201, T:114. Section: 6.1.8, 6.2.15.
    """
    connection = connect()
    session, other = connection.create_session(), connection.create_session()
    parts = [session.create_sender(queue), session.create_receiver(queue), session.create_browser(queue)]
    other.close()
    other.close()
    connection.close()
    connection.close()
    for part in (*parts, session, other):
        part.close()


def test_a_with_statement_closes(factory: ConnectionFactory, connect: Callable[..., Connection], queue: Queue) -> None:
    """The end of a with statement closes the connection, and with it all its sessions, producers and consumers.

    Rows: C6. Assertions: T:251. Section: 6.1.8.
    """
    with factory.create_connection("app", "") as connection:
        session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
        sender, receiver = session.create_sender(queue), session.create_receiver(queue)
        sender.send("a")
        next_of(receiver)
    for call in (connection.create_session, session.recover, receiver.receive):
        with pytest.raises(IllegalStateError, match="closed"):
            call()
    with pytest.raises(IllegalStateError, match="closed"):
        sender.send("b")
    assert next_of(connect().create_session().create_receiver(queue)).redelivered


def test_connections_are_for_many_threads(connection: Connection, queue: Queue) -> None:
    """Several threads use one connection at the same time, each with a session of its own.

    Rows: C10. Assertions: T:116. Section: 2.14.
    """

    def work(number: int) -> None:
        session = connection.create_session()
        mine = Queue(f"{queue.name}.{number}")
        session.create_sender(mine).send_many(range(20))
        assert bodies(session.create_receiver(mine), 20) == list(range(20))

    together(work)


def test_a_session_with_several_producers_and_consumers(session: Session, queue: Queue, topic: Topic) -> None:
    """One session serves several producers and consumers, of both kinds of destination.

    Rows: C12. Section: 6.2.1.
    """
    queues = [queue, Queue(f"{queue.name}.second")]
    receivers = [session.create_receiver(one) for one in queues]
    subscriber = session.create_subscriber(topic)
    for one in (*queues, topic):
        session.create_producer(one).send(one.name)
    assert [next_of(one).body for one in (*receivers, subscriber)] == [*(one.name for one in queues), topic.name]
