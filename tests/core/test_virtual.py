"""The names of virtual topics and their queues (rmimom/core/virtual.py)."""

from __future__ import annotations

import pytest

from rmimom.core.virtual import is_virtual, topic_of
from rmimom.destination import Destination, Queue, TemporaryQueue, TemporaryTopic, Topic

NAMES: list[tuple[Destination, str]] = [
    (Queue("Consumer.A.VirtualTopic.X"), "VirtualTopic.X"),
    (Queue("Consumer.a-b_c.VirtualTopic.X.Y"), "VirtualTopic.X.Y"),
    (Queue("Consumer.A.B.VirtualTopic.X"), ""),
    (Queue("Consumer..VirtualTopic.X"), ""),
    (Queue("Consumer.A.VirtualTopic."), ""),
    (Queue("consumer.A.VirtualTopic.X"), ""),
    (Topic("Consumer.A.VirtualTopic.X"), ""),
    (TemporaryQueue("Consumer.A.VirtualTopic.X"), ""),
]


@pytest.mark.parametrize(("queue", "topic"), NAMES, ids=[str(queue) for queue, _ in NAMES])
def test_queues_name_their_topics(queue: Destination, topic: str) -> None:
    assert topic_of(queue) == topic
    assert not topic or is_virtual(Topic(topic))


def test_virtual_topics_are_known_by_name() -> None:
    assert not is_virtual(Topic("VirtualTopic"))
    assert not is_virtual(Queue("VirtualTopic.X"))
    assert not is_virtual(TemporaryTopic("VirtualTopic.X"))
