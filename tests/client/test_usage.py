"""A session is for one thread at a time (Jakarta Messaging 3.1 §2.14, §6.2.5; T:116, T:120, T:121)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.session import Session
from rmimom.destination import Queue
from rmimom.errors import IllegalStateError
from rmimom.message import Message

Q = Queue("q")


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection() as made:
        yield made


USES: list[tuple[str, Callable[[Session], object]]] = [
    ("send", lambda session: session._producers[0].send("x")),
    ("send_async", lambda session: session._producers[0].send_async("x")),
    ("flush", lambda session: session._producers[0].flush()),
    ("receive", lambda session: session._consumers[0].receive(0)),
    ("recover", lambda session: session.recover()),
    ("unsubscribe", lambda session: session.unsubscribe("s")),
]


def with_both(session: Session) -> Session:
    session.create_sender(Q)
    session.create_receiver(Queue("empty"))
    return session


@pytest.mark.parametrize(("use"), [use for _, use in USES], ids=[name for name, _ in USES])
def test_a_second_thread_is_refused_while_the_first_waits(
    use: Callable[[Session], object], connection: Connection
) -> None:
    """T:120: and neither harms the other; when the first has left, the session may be passed on."""
    session = with_both(connection.create_session())
    got: list[Message | None] = []
    waiting = threading.Thread(target=lambda: got.append(session._consumers[0].receive(60)))
    waiting.start()
    wait_for(lambda: session._usage.owner)
    with pytest.raises(IllegalStateError, match="another thread is using the session"):
        use(session)
    with pytest.raises(IllegalStateError, match="another thread is using the session"):
        session._consumers[0].attach(print)
    other = connection.create_session()
    other.create_sender(Queue("empty")).send("done")
    waiting.join(10)
    assert [message.body for message in got if message is not None] == ["done"]
    session._producers[0].send("x")


def test_transactions_are_for_one_thread(connection: Connection) -> None:
    session = with_both(connection.create_session(transacted=True))
    waiting = threading.Thread(target=session._consumers[0].receive)
    waiting.start()
    wait_for(lambda: session._usage.owner)
    for end in (session.commit, session.rollback):
        with pytest.raises(IllegalStateError, match="another thread"):
            end()
    session.close()
    waiting.join(10)


@pytest.mark.parametrize(("use"), [use for _, use in USES], ids=[name for name, _ in USES])
def test_a_session_with_observers_belongs_to_its_own_thread(
    use: Callable[[Session], object], connection: Connection
) -> None:
    """T:121: once the connection is started; closing is for any thread, and so is what prepares the session."""
    session = with_both(connection.create_session())
    observed = session.create_receiver(Q)
    observed.attach(print)
    with pytest.raises(IllegalStateError, match="belongs to the thread that tells them"):
        use(session)
    another = session.create_receiver(Queue("r"))
    another.attach(print)
    another.detach(print)
    connection.stop()
    session._producers[0].send("x")
    connection.start()
    observed.detach(print)
    session._producers[0].send("y")
    session.close()


def test_an_observer_uses_its_session(connection: Connection) -> None:
    session = connection.create_session()
    answers = session.create_sender(Queue("answers"))
    problems: list[BaseException] = []
    told = threading.Event()

    def observer(message: Message) -> None:
        try:
            answers.send(message.body)
            answers.send_async(message.body).result(60)
            session.create_receiver(Queue("r")).close()
        except Exception as error:  # noqa: BLE001  # shown by the test
            problems.append(error)
        told.set()

    session.create_receiver(Q).attach(observer)
    connection.create_session().create_sender(Q).send("x")
    assert told.wait(60)
    assert problems == []


def test_other_threads_may_acknowledge_single_messages_only(connection: Connection) -> None:
    sender = connection.create_session().create_sender(Q)
    sender.send_many(["a", "b"])
    for mode, refused in ((AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE, False), (AcknowledgeMode.CLIENT_ACKNOWLEDGE, True)):
        session = connection.create_session(mode)
        got: list[Message] = []
        session.create_receiver(Q, prefetch=1).attach(got.append)
        wait_for(lambda: got)  # noqa: B023  # it is called at once
        if refused:
            with pytest.raises(IllegalStateError, match="belongs to the thread"):
                got[0].acknowledge()
        else:
            got[0].acknowledge()
        session.close()
