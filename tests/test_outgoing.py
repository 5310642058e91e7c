"""What a send puts into a frame: times, and the priority (Jakarta Messaging 3.1 §3.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rmimom.errors import MessageFormatError
from rmimom.frame import TEXT
from rmimom.outgoing import check_priority, make_frame, milliseconds


@pytest.mark.parametrize(
    ("duration", "expected"), [(None, 0), (0, 0), (1, 1000), (0.0001, 1), (1.5, 1500), (timedelta(minutes=1), 60_000)]
)
def test_durations_are_seconds(duration: float | timedelta | None, expected: int) -> None:
    assert milliseconds(duration, "time_to_live") == expected


@pytest.mark.parametrize("duration", [-1, float("nan"), float("inf"), "x", 1e300, timedelta(days=-1)])
def test_durations_that_cannot_be(duration: float) -> None:
    with pytest.raises(MessageFormatError, match="time_to_live is"):
        milliseconds(duration, "time_to_live")


def test_times_count_from_the_time_of_sending_and_none_is_none() -> None:
    """§3.4.9, §3.4.13."""
    frame = make_frame("queue://q", "ID:1", 1000, TEXT, b"body", time_to_live=50, delay=20)
    assert (frame.timestamp, frame.expiration, frame.delivery_time) == (1000, 1050, 1020)
    assert (frame.properties_length, frame.body_length) == (2, 4)
    frame = make_frame("queue://q", "ID:1", 1000, TEXT, b"body")
    assert (frame.expiration, frame.delivery_time) == (0, 0)


@pytest.mark.parametrize("priority", [-1, 10, True, 4.0, "4", None])
def test_a_priority_is_a_number_from_0_to_9(priority: object) -> None:
    """§3.4.10."""
    assert [check_priority(allowed) for allowed in (0, 9)] == [0, 9]
    with pytest.raises(MessageFormatError, match="must be an int from 0 to 9"):
        check_priority(priority)
