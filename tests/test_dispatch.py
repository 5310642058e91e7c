"""Dispatch: effects find the connection that they are meant for."""

from __future__ import annotations

import pytest
from msgspec import Raw

from rmimom.destination import Queue
from rmimom.dispatch import Dispatch
from rmimom.effects import NOT_LOADED, ConsumerClosed, Deliver, DestinationAdded, DestinationRemoved, Effect
from rmimom.errors import IllegalStateError, JMSError
from rmimom.frame import Delivered


class Listener:
    """A sink that writes down what it is told."""

    def __init__(self, log: list[object], name: str) -> None:
        self.log = log
        self.name = name

    def deliver(self, deliveries: list[Delivered]) -> None:
        self.log.append((self.name, [(told.tag, bytes(told.frame)) for told in deliveries]))

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        self.log.append((self.name, consumer, type(error).__name__))


class Broken(Listener):
    """A sink that breaks its promise."""

    def deliver(self, deliveries: list[Delivered]) -> None:
        raise RuntimeError("a fault")

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        raise RuntimeError("a fault")


def message(tag: int, frame: bytes | None = b"x") -> Delivered:
    return Delivered(tag, [1], [1], NOT_LOADED if frame is None else Raw(frame))


def desk(*names: str, broken: str = "") -> tuple[Dispatch, list[object]]:
    dispatch, log = Dispatch(), []
    for name in names:
        dispatch.attach(name, Broken(log, name) if name == broken else Listener(log, name))
    return dispatch, log


def test_effects_are_told_in_order_to_their_connection() -> None:
    dispatch, log = desk("a", "b")
    dispatch.watch_destinations(log.append)
    added, removed = DestinationAdded(Queue("q")), DestinationRemoved(Queue("q"))
    effects: list[Effect] = [
        added,
        Deliver("b", [message(1), message(2)]),
        ConsumerClosed("a", 7, IllegalStateError("because")),
        Deliver("a", [message(3)]),
        removed,
    ]
    assert dispatch.release(effects) == []
    assert log == [added, ("b", [(1, b"x"), (2, b"x")]), ("a", 7, "IllegalStateError"), ("a", [(3, b"x")]), removed]
    assert dispatch.delivered == 3


def test_what_is_for_nobody_goes_nowhere() -> None:
    dispatch, log = desk("a")
    dispatch.detach("a")
    dispatch.detach("a")
    error = IllegalStateError("because")
    assert (
        dispatch.release([Deliver("a", [message(1)]), ConsumerClosed("a", 1, error), Deliver("b", [message(2)])]) == []
    )
    assert (log, dispatch.delivered) == ([], 0)


@pytest.mark.parametrize(
    ("fetched", "told"),
    [({1: b"one", 3: b"three"}, [(1, b"one"), (2, b"x"), (3, b"three")]), ({3: b"three"}, [(2, b"x"), (3, b"three")])],
)
def test_frames_from_the_store_complete_the_deliveries(
    fetched: dict[int, bytes], told: list[tuple[int, bytes]]
) -> None:
    """Given deliveries without a frame, when told, then the fetched frame is in them; what is gone is passed over."""
    dispatch, log = desk("a")
    dispatch.release([Deliver("a", [message(1, None), message(2), message(3, None)])], fetched)
    assert log == [("a", told)]
    assert dispatch.delivered == len(told)


def test_empty_frame_is_never_told() -> None:
    """Given every frame to be fetched is gone from the store, when the deliveries are told, then without them."""
    dispatch, log = desk("a")
    dispatch.release([Deliver("a", [message(1, None)])], {})
    assert log == [("a", [])]


def test_failing_sink_costs_only_its_own_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Promise 9: given a sink that raises, when effects are told, then it is cut off and the others get theirs."""
    dispatch, log = desk("a", "b", broken="a")
    error = IllegalStateError("because")
    effects: list[Effect] = [
        Deliver("a", [message(1)]),
        Deliver("b", [message(2)]),
        ConsumerClosed("a", 1, error),
        ConsumerClosed("b", 1, error),
    ]
    assert dispatch.release(effects) == ["a"]
    assert log == [("b", [(2, b"x")]), ("b", 1, "IllegalStateError")]
    assert "connection a cannot take what it is told" in caplog.text
