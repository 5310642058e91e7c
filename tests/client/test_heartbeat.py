"""Heartbeats over a real server; silence is made by turning the subscriber's clock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, start_server

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.heartbeat import Beat, HeartbeatPublisher, HeartbeatSubscriber
from rmimom.client.producer import Publisher
from rmimom.errors import ConfigurationError
from rmimom.phi import SuspicionLevel

PATIENCE = 30.0
ALIVE, SUSPECT, FAILED = SuspicionLevel


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    data: Path = tmp_path_factory.mktemp("server") / "data"
    with start_server(data) as running:
        yield running


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[Connection]:
    with ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory")).create_connection("ann", "secret") as made:
        yield made


class Listener:
    """Notes what it is told, and waits until it was told something."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._changed = threading.Condition()

    def note(self, what: str) -> Callable[..., None]:
        def told(*values: object) -> None:
            with self._changed:
                self.told.append((what, *values))
                self._changed.notify_all()

        return told

    def wait_for(self, found: Callable[[tuple[Any, ...]], bool]) -> tuple[Any, ...]:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(found, self.told)), PATIENCE), self.told
            return next(filter(found, self.told))


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def publisher(connection: Connection, topic: str) -> Publisher:
    session = connection.create_session()
    return session.create_publisher(session.topic(topic))


def subscriber(connection: Connection, topic: str, listener: Listener, **options: Any) -> HeartbeatSubscriber:
    session = connection.create_session()
    return HeartbeatSubscriber(
        session.create_subscriber(session.topic(topic)),
        listener.note("suspicion"),
        listener.note("recovered"),
        on_beat=listener.note("beat"),
        **options,
    )


def is_beat(sequence: int) -> Callable[[tuple[Any, ...]], bool]:
    return lambda told: told[0] == "beat" and told[1].sequence >= sequence


def test_beats_come_with_what_the_application_adds(connection: Connection) -> None:
    listener, loads = Listener(), itertools.count()
    with (
        subscriber(connection, "pulse.1", listener) as watch,
        HeartbeatPublisher(
            publisher(connection, "pulse.1"), "worker", interval=0.01, extra=lambda: {"load": next(loads)}
        ) as heart,
    ):
        listener.wait_for(is_beat(3))
        beats = [told[1] for told in listener.told if told[0] == "beat"]
        assert [(beat.name, beat.sequence, beat.interval, beat.extra) for beat in beats[:2]] == [
            ("worker", 1, 0.01, {"load": 0}),
            ("worker", 2, 0.01, {"load": 1}),
        ]
        assert heart.sequence >= 3
        assert watch.level("worker") is ALIVE
        last = watch.last_beat("worker")
        assert last is not None
        assert last.sequence >= 3
        assert watch.phi("worker") >= 0
        assert watch.last_beat("nobody") is None
        with pytest.raises(KeyError):
            watch.level("nobody")


def test_silence_is_suspected_then_taken_for_failure_and_forgiven(connection: Connection) -> None:
    listener, clock = Listener(), Clock()
    pulse = publisher(connection, "pulse.2")
    beat = {"name": "w", "run": "r", "interval": 1.0}
    with subscriber(connection, "pulse.2", listener, clock=clock, min_deviation=0.1) as watch:
        pulse.publish({**beat, "sequence": 1})
        listener.wait_for(is_beat(1))
        clock.now += 1.9  # three and a half deviations after the mean
        watch.check()
        listener.wait_for(lambda told: told[:3] == ("suspicion", "w", SUSPECT))
        clock.now += 10
        watch.check()
        assert listener.wait_for(lambda told: told[:3] == ("suspicion", "w", FAILED))[3] > 8
        assert watch.senders() == {"w": FAILED}
        pulse.publish({**beat, "sequence": 1})  # an old beat that comes twice is no sign of life
        pulse.publish({**beat, "sequence": 2})
        listener.wait_for(is_beat(2))
        assert [told for told in listener.told if told[0] == "recovered"] == [("recovered", "w")]
        assert watch.level("w") is ALIVE


def test_the_clock_is_looked_at_without_being_asked(connection: Connection) -> None:
    listener = Listener()
    with subscriber(connection, "pulse.3", listener, expected={"never": 0.01}, min_deviation=0.001):
        listener.wait_for(lambda told: told[:3] == ("suspicion", "never", FAILED))


def test_who_takes_leave_is_not_suspected(connection: Connection) -> None:
    listener, clock = Listener(), Clock()
    with subscriber(connection, "pulse.4", listener, clock=clock) as watch:
        heart = HeartbeatPublisher(publisher(connection, "pulse.4"), "worker", interval=60)
        listener.wait_for(is_beat(1))
        heart.close()
        heart.close()
        listener.wait_for(lambda told: told[0] == "beat" and told[1].leaving)
        clock.now += 1e6
        watch.check()
        assert watch.senders() == {}
        assert heart.error is None


def test_what_is_no_heartbeat_is_passed_over(connection: Connection) -> None:
    listener = Listener()
    pulse = publisher(connection, "pulse.5")
    with subscriber(connection, "pulse.5", listener) as watch:
        beat = {"name": "w", "run": "r", "sequence": 1, "interval": 1.0}
        for nonsense in ("hello", {"name": "w"}, {**beat, "interval": -1.0}, {**beat, "sequence": "1"}, b"\x00"):
            pulse.publish(nonsense)
        pulse.publish({**beat, "name": "last"})
        listener.wait_for(is_beat(1))
        assert watch.senders() == {"last": ALIVE}


def test_a_listener_that_fails_stops_nothing(connection: Connection) -> None:
    listener = Listener()
    session = connection.create_session()

    def fail(_beat: Beat) -> None:
        listener.note("failing")()
        raise ValueError("no")

    pulse = publisher(connection, "pulse.6")
    with HeartbeatSubscriber(session.create_subscriber(session.topic("pulse.6")), on_beat=fail):
        for sequence in (1, 2):
            pulse.publish({"name": "w", "run": "r", "sequence": sequence, "interval": 1.0})
            listener.wait_for(lambda _, count=sequence: len(listener.told) >= count)


def test_a_heart_stops_with_its_session(connection: Connection) -> None:
    session = connection.create_session()
    heart = HeartbeatPublisher(session.create_publisher(session.topic("pulse.7")), "worker", interval=0.01)
    session.close()
    heart._thread.join(PATIENCE)
    assert heart.error is not None
    heart.close()


def test_a_heart_stops_when_the_application_fails(connection: Connection) -> None:
    with HeartbeatPublisher(
        publisher(connection, "pulse.9"), "worker", interval=0.01, extra=lambda: {}["load"]
    ) as heart:
        heart._thread.join(PATIENCE)
        assert repr(heart.error) == "KeyError('load')"


def test_settings_are_checked(connection: Connection) -> None:
    session = connection.create_session()
    pulse = session.create_publisher(session.topic("pulse.8"))
    for name, interval in (("", 1.0), ("w", 0.0), ("w", float("inf"))):
        with pytest.raises(ConfigurationError):
            HeartbeatPublisher(pulse, name, interval=interval)
    with pytest.raises(ConfigurationError):
        HeartbeatSubscriber(session.create_subscriber(session.topic("pulse.8")), suspect=9.0)
