"""Where dead letters and expired messages wait; they are messages of queues like others (`messages.py`)."""

from __future__ import annotations

from typing import Final

import msgspec

from rmimom.listeners.http.operation import Call, Nothing, Operation
from rmimom.listeners.http.readings import count_waiting_dead


class DeadLetterQueue(msgspec.Struct, frozen=True):
    """A queue that the policies name for dead letters or expired messages, and how many messages are there."""

    name: str
    pending: int


class DeadLetterQueues(msgspec.Struct, frozen=True):
    """All of them that exist, by name."""

    items: list[DeadLetterQueue]


async def list_dead_letter_queues(call: Call[Nothing, None]) -> DeadLetterQueues:
    """List the queues of dead letters and expired messages, with how many there are."""
    found = await count_waiting_dead(call.engine.broker.state)
    return DeadLetterQueues([DeadLetterQueue(name, pending) for name, pending in found])


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/dead-letters",
        handler=list_dead_letter_queues,
        tag="messages",
        answer=DeadLetterQueues,
    ),
)
"""What can be asked about all dead letters."""
