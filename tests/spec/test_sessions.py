"""Sessions and threads, Jakarta Messaging 3.1 §2.14, §6.1.8, §6.2.5 and §6.2.15: rows C6, C7 and C10."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from support.spec import PATIENCE, bodies, next_of
from support.waiting import wait_for

from rmimom import (
    AcknowledgeMode,
    Connection,
    IllegalStateError,
    Message,
    Queue,
    Topic,
)


def elsewhere(call: Callable[[], object]) -> BaseException | None:
    """Make a call in another thread; the error that it raised."""
    raised: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
            raised.append(None)
        except BaseException as error:  # noqa: BLE001  # the caller looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    return raised[0]


def test_close_lets_a_listener_finish(connect: Callable[..., Connection], queue: Queue) -> None:
    """close of a connection waits for a listener that runs, which has all services until it returns.

    Rows: C6. Assertions: T:102, T:103. Section: 6.1.8.
    """
    connection = connect()
    session = connection.create_session()
    entered, leave, closed = threading.Event(), threading.Event(), threading.Event()
    out = Queue(f"{queue.name}.out")
    failures: list[Exception] = []

    def listen(message: Message) -> None:
        entered.set()
        assert leave.wait(PATIENCE)
        try:
            session.create_sender(out).send("made while closing")
            connection.create_session().create_sender(out).send("and by another session")
        except Exception as error:  # noqa: BLE001  # looked at below
            failures.append(error)

    session.create_receiver(queue).attach(listen)
    looking = connect().create_session()
    looking.create_sender(queue).send("a")
    assert entered.wait(PATIENCE)

    def close() -> None:
        connection.close()
        closed.set()

    closing = threading.Thread(target=close)
    closing.start()
    assert not closed.wait(0.05)
    leave.set()
    closing.join(PATIENCE)
    assert closed.is_set()
    assert failures == []
    assert [message.body for message in looking.create_browser(out)] == ["made while closing", "and by another session"]
    assert list(looking.create_browser(queue)) == []


def test_close_of_a_session_lets_a_listener_finish(connect: Callable[..., Connection], queue: Queue) -> None:
    """close of a session waits for its listener, and calls it no more.

    Rows: C6. Assertions: T:110. Section: 6.2.15.
    """
    connection = connect()
    session, looking = connection.create_session(), connection.create_session()
    entered, leave = threading.Event(), threading.Event()
    heard: list[object] = []

    def listen(message: Message) -> None:
        entered.set()
        assert leave.wait(PATIENCE)
        heard.append(message.body)

    session.create_receiver(queue).attach(listen)
    looking.create_sender(queue).send_many(["a", "b"])
    assert entered.wait(PATIENCE)
    closing = threading.Thread(target=session.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    leave.set()
    closing.join(PATIENCE)
    assert heard == ["a"]
    assert next_of(looking.create_receiver(queue)).body == "b"


def test_use_of_a_closed_session(connection: Connection, queue: Queue, topic: Topic) -> None:
    """Everything but close is refused on a closed session and on what it made; the connection goes on.

    Rows: C6, C11. Assertions: T:113, T:171. Section: 6.2.15.
    """
    session = connection.create_session()
    sender, receiver, browser = (
        session.create_sender(queue),
        session.create_receiver(queue),
        session.create_browser(queue),
    )
    session.close()
    calls: list[Callable[[], object]] = [
        lambda: session.create_sender(queue),
        lambda: session.create_receiver(queue),
        lambda: session.create_subscriber(topic),
        lambda: session.create_browser(queue),
        session.create_temporary_queue,
        lambda: session.unsubscribe("a"),
        session.recover,
        lambda: sender.send("a"),
        lambda: receiver.receive(timeout=0),
        lambda: receiver.attach(print),
        lambda: list(browser),
    ]
    for call in calls:
        with pytest.raises(IllegalStateError, match="closed"):
            call()
    connection.create_session().create_sender(queue).send("a")


@pytest.mark.parametrize("what", ["close of the connection", "stop of the connection", "close of the session"])
def test_a_listener_does_not_close_its_own(what: str, connection: Connection, queue: Queue) -> None:
    """A listener that closes its connection or session, or stops it, gets IllegalStateError, and all goes on.

    Rows: C7, C11. Assertions: T:258, T:259, T:171. Section: 6.1.8, 6.2.15.
    """
    session = connection.create_session()
    results: list[object] = []
    call = {
        "close of the connection": connection.close,
        "stop of the connection": connection.stop,
        "close of the session": session.close,
    }[what]

    def listen(message: Message) -> None:
        try:
            call()
            results.append("no error")
        except IllegalStateError as error:
            results.append(error)

    session.create_receiver(queue).attach(listen)
    looking = connection.create_session()
    for count in (1, 2):
        looking.create_sender(queue).send("a")
        wait_for(lambda count=count: len(results) == count)
    assert all(isinstance(result, IllegalStateError) for result in results)


def test_a_session_is_for_one_thread_at_a_time(connection: Connection, queue: Queue) -> None:
    """A second thread that uses a session while one is in it is refused; one after the other is well.

    Rows: C10. Assertions: T:116, T:120. Section: 2.14, 6.2.5.
    """
    session = connection.create_session()
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    thread = threading.Thread(target=receiver.receive)
    thread.start()
    refusals: list[BaseException | None] = []

    def refused() -> bool:
        # Until the other thread has come to wait there is nothing to refuse, and what was sent would end its wait.
        refusals.append(elsewhere(session.recover))
        return refusals[-1] is not None

    wait_for(refused)
    assert isinstance(refusals[-1], IllegalStateError)
    assert "another thread is using the session" in str(refusals[-1])
    connection.create_session().create_sender(queue).send("a")
    thread.join(PATIENCE)
    sender.send("b")
    assert elsewhere(lambda: sender.send("c")) is None
    assert bodies(receiver, 2) == ["b", "c"]


def test_close_is_for_any_thread(connection: Connection, queue: Queue) -> None:
    """A session may be closed by another thread than that which uses it.

    Rows: C10. Assertions: T:120. Section: 6.2.5.
    """
    session = connection.create_session()
    receiver = session.create_receiver(queue)
    results: list[object] = []

    def receive() -> None:
        results.append(next_of(receiver).body)
        results.append(receiver.receive())

    thread = threading.Thread(target=receive)
    thread.start()
    connection.create_session().create_sender(queue).send("a")
    wait_for(lambda: results == ["a"])
    session.close()
    thread.join(PATIENCE)
    assert results == ["a", None]


def test_a_session_with_listeners_belongs_to_their_thread(connection: Connection, queue: Queue, topic: Topic) -> None:
    """Once a started connection delivers to a listener, other threads cannot use its session; stopped, they can.

    Rows: C10. Assertions: T:121. Section: 6.2.5.
    """
    connection.stop()
    session = connection.create_session()
    heard: list[object] = []
    sender = session.create_sender(Queue(f"{queue.name}.out"))
    session.create_receiver(queue).attach(lambda message: heard.append(message.body))
    session.create_subscriber(topic).attach(lambda message: heard.append(message.body))
    sender.send("set up")
    connection.start()
    looking = connection.create_session()
    looking.create_sender(queue).send("a")
    looking.create_publisher(topic).publish("b")
    wait_for(lambda: sorted(heard, key=str) == ["a", "b"])
    with pytest.raises(IllegalStateError, match="belongs to the thread"):
        sender.send("now it is too late")
    with pytest.raises(IllegalStateError):
        session.create_receiver(Queue(f"{queue.name}.other")).receive(timeout=0)
    connection.stop()
    sender.send("again")
    assert len(list(looking.create_browser(Queue(f"{queue.name}.out")))) == 2


def test_threads_with_sessions_of_their_own(connect: Callable[..., Connection], queue: Queue) -> None:
    """One connection serves several threads at once, each with its own session, in every mode.

    Rows: C10. Assertions: T:116. Section: 2.14.
    """
    connection = connect()
    errors: list[BaseException | None] = []

    def work(number: int, mode: AcknowledgeMode) -> None:
        with connection.create_session(mode) as session:
            mine = Queue(f"{queue.name}.{number}")
            session.create_sender(mine).send("a")
            if session.transacted:
                session.commit()
            next_of(session.create_receiver(mine)).acknowledge()
            if session.transacted:
                session.commit()

    threads = [
        threading.Thread(target=lambda pair=pair: errors.append(elsewhere(lambda: work(*pair))))
        for pair in enumerate(AcknowledgeMode)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert errors == [None] * len(AcknowledgeMode)
