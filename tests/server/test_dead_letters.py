"""Dead letters on a server that is killed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, ServerProcess, start_server

from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE
from rmimom.client.session import Session
from rmimom.errors import JMSError

MESSAGES = 60


def factory(server: ServerProcess) -> ConnectionFactory:
    """The factory of this server."""
    return ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))


def drain(session: Session, queue: str, count: int) -> list[object]:
    """Take so many messages out of a queue."""
    with session.create_receiver(session.queue(queue)) as receiver:
        bodies: list[object] = []
        for _ in range(count):
            message = receiver.receive(TIME_LIMIT)
            assert message is not None
            bodies.append(message.body)
            message.acknowledge()
        return bodies


@pytest.mark.parametrize("killed_after", [0, 1, 17, MESSAGES - 1])
def test_a_killed_server_loses_no_dead_letter_and_doubles_none(tmp_path: Path, killed_after: int) -> None:
    """Given messages on their way to the dead letter queue and back, when the server is killed, then each is in
    one of the two queues, and those whose failure was confirmed are dead (promises 1 and 7)."""
    data = tmp_path / "data"
    confirmed: list[object] = []
    with start_server(data) as server:
        connection = factory(server).create_connection("app", "", reconnect_timeout=0.1)
        session = connection.create_session(INDIVIDUAL_ACKNOWLEDGE)
        session.create_sender(session.queue("q")).send_many(range(MESSAGES))
        receiver = session.create_receiver(session.queue("q"))
        try:
            for done in itertools.count():
                message = receiver.receive(TIME_LIMIT if done < MESSAGES else 0)
                if done == killed_after:
                    server.kill()
                if message is None:
                    break
                message.nack("killed", dead=True)
                confirmed.append(message.body)
        except JMSError:
            pass
        connection.close()
    assert len(confirmed) == killed_after
    with start_server(data) as server:
        with server.administration() as administration:
            waiting = {found["name"]: found["pending"] for found in administration.queues()}
            dead = waiting.get("DLQ.q", 0)
            assert waiting["q"] + dead == MESSAGES
            assert dead >= killed_after
            if dead:
                assert [letter["reason"] for letter in administration.dead_letters("DLQ.q")] == ["killed"] * dead
        with factory(server).create_connection("app", "") as connection:
            session = connection.create_session(CLIENT_ACKNOWLEDGE)
            letters = drain(session, "DLQ.q", dead)
            assert set(confirmed) <= set(letters)
            assert sorted([*letters, *drain(session, "q", MESSAGES - dead)], key=str) == sorted(
                range(MESSAGES), key=str
            )


def test_failures_and_what_was_sent_back_survive_a_kill(tmp_path: Path) -> None:
    """A20: a consumer that takes the server down with it does not escape the count."""
    data = tmp_path / "data"
    for round_ in range(3):
        with start_server(data) as server:
            with factory(server).create_connection("app", "", reconnect_timeout=0.1) as connection:
                session = connection.create_session(CLIENT_ACKNOWLEDGE)
                if round_ == 0:
                    session.create_sender(session.queue("q")).send("poison")
                receiver = session.create_receiver(session.queue("q"))
                for _ in range(3 if round_ < 2 else 1):
                    assert receiver.receive(TIME_LIMIT) is not None
                    session.recover()
                if round_ < 2:
                    server.kill()
                    continue
            with server.administration() as administration:
                (letter,) = administration.dead_letters("DLQ.q")
                assert (letter["failures"], letter["reason"]) == (7, "recovered by the session")
                assert administration.retry("DLQ.q") == 1
                server.kill()
    with start_server(data) as server, server.administration() as administration:
        assert {found["name"]: found["pending"] for found in administration.queues()} == {"q": 1, "DLQ.q": 0}
