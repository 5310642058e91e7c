"""A queue with messages in it."""

from __future__ import annotations

from rmimom.client.connection import Connection
from rmimom.destination import Queue

Q = Queue("q")


def fill(connection: Connection, count: int) -> None:
    """Send so many numbered messages to `Q`."""
    connection.create_session().create_sender(Q).send_many(str(number) for number in range(count))
