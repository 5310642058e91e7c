"""Which queues a pattern means (rmimom/core/queue_pattern.py); what matches is in tests/test_destination.py."""

from __future__ import annotations

import pytest

from rmimom.core.queue_pattern import QueuePattern
from rmimom.destination import Destination, Queue, TemporaryQueue, Topic


@pytest.mark.parametrize(
    ("pattern", "destination", "means"),
    [
        ("orders.>", Queue("orders.eu"), True),
        ("orders.>", Topic("orders.eu"), False),
        ("orders.>", TemporaryQueue("orders.eu"), False),
        (">", Queue("DLQ.orders"), True),
        (">", Queue("rmimom.schedule"), False),
        ("rmimom.*", Queue("rmimom.schedule"), False),
    ],
    ids=str,
)
def test_queues_that_stay_and_are_not_the_servers(pattern: str, destination: Destination, means: bool) -> None:
    assert QueuePattern(Queue(pattern)).matches(destination) is means
