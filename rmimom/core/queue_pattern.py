"""A pattern of queues: which queues a name with wildcards means."""

from __future__ import annotations

from rmimom.destination import TEMPORARY, Destination, Queue, compile_pattern


class QueuePattern:
    """All queues whose names match, but for temporary ones and those of the server."""

    __slots__ = ("_expression", "queue")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._expression = compile_pattern(queue.name)

    def matches(self, queue: Destination) -> bool:
        """Whether the pattern means this queue."""
        if isinstance(queue, TEMPORARY) or not isinstance(queue, Queue) or queue.is_system:
            return False
        return self._expression.fullmatch(queue.name) is not None
