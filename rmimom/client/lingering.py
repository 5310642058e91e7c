"""Consumers that linger: closed, but their session is not done with all that was received from them.

Messages are acknowledged, committed and rolled back by the session, whichever consumer they came from (§6.2.7,
§6.2.10).  So what the application has taken stays when the consumer closes, and only what it has not taken goes back:

    open ─► closed
     │         ▲
     └► lingers┘   while there are messages worked on; at the server the consumer then holds just these

Rule 1: a consumer that lingers gets nothing more, here or at the server, also after a reconnection.
Rule 2: it delivers nothing again: what fails, is recovered or rolled back returns to the server, for whoever is next.
Rule 3: it ends when the session is done with the last of its messages, at the latest with the session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer
    from rmimom.client.session import Session


class Lingering:
    """The consumers of one session that linger."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.consumers: list[Consumer] = []

    def admit(self, consumer: Consumer) -> bool:
        """Let a consumer that was closed linger; False if nothing of it needs to, so that it can end."""
        session = self._session
        with session._lock:
            if session._automatic or session._closed or not consumer._intake.working:
                return False
            session._consumers.remove(consumer)
            self.consumers.append(consumer)
            consumer._lingers = True
        session._connection._retain(consumer)
        return True

    def givers(self) -> list[Consumer]:
        """The consumers that messages of the session came from, those that are open too; the lock is held."""
        return [*self._session._consumers, *self.consumers]

    @property
    def has_done(self) -> bool:
        """Whether `end_done` has anything to do."""
        if not self.consumers:
            return False
        with self._session._lock:
            return any(_is_done(consumer) for consumer in self.consumers)

    def end_done(self) -> None:
        """End those with whose messages the session is done; tells the server."""
        if self.consumers:
            self._end(_is_done)

    def end(self) -> None:
        """End them all; what was not done with goes back."""
        self._end(lambda consumer: True)

    def _end(self, ends: Callable[[Consumer], bool]) -> None:
        with self._session._lock:
            ended = [consumer for consumer in self.consumers if ends(consumer)]
            self.consumers = [consumer for consumer in self.consumers if consumer not in ended]
        for consumer in ended:
            self._session._connection._close_consumer(consumer)


def _is_done(consumer: Consumer) -> bool:
    return not consumer._intake.working
