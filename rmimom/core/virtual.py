"""Virtual topics: queues that get a copy of what is sent to a topic, by their names alone, as in ActiveMQ.

A queue `Consumer.NAME.VirtualTopic.X` has a copy of each message sent to the topic `VirtualTopic.X` from the time the
queue is there.  So every NAME is a subscription whose consumers compete, and all that queues have (dead letters,
browsers, groups) is there for it, in every protocol.
"""

from __future__ import annotations

import re
from typing import Final

from rmimom.destination import Destination, Queue, Topic

_QUEUE: Final = re.compile(r"Consumer\.[^.]+\.(VirtualTopic\..+)")


def topic_of(queue: Destination) -> str:
    """The name of the virtual topic of which the queue has copies, or empty."""
    found = _QUEUE.fullmatch(queue.name) if type(queue) is Queue else None
    return found.group(1) if found else ""


def is_virtual(topic: Destination) -> bool:
    """Whether queues may have copies of what is sent to the topic."""
    return type(topic) is Topic and topic.name.startswith("VirtualTopic.")
