"""A message that was received on an event loop: acknowledging is awaited."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from rmimom import message as client
from rmimom.errors import IllegalStateError

if TYPE_CHECKING:
    from rmimom.aio.loop_session import LoopSession
    from rmimom.client.consumer import Consumer


class Message(client.Message):
    """A received message; those to send are of `rmimom.Message`, which this is too."""

    __slots__ = ()

    async def acknowledge(self) -> None:  # type: ignore[override]  # the same, for who may not wait
        """Acknowledge the message; see `rmimom.Message.acknowledge`.  It goes on if cancelled."""
        consumer = self._consumer()
        await _session(consumer).acknowledge_one(consumer, self)

    async def nack(  # type: ignore[override]  # the same, for who may not wait
        self, reason: str = "", *, delay: float | timedelta | None = None, dead: bool = False
    ) -> None:
        """Say that the work on this message failed; see `rmimom.Message.nack`.  It goes on if cancelled."""
        consumer = self._consumer()
        session = _session(consumer)
        await session.in_thread(lambda: consumer.nack(self, reason, delay, dead=dead))

    def _consumer(self) -> Consumer:
        if self._acknowledger is None:
            raise IllegalStateError("the message was not received from a consumer, so there is nothing to say of it")
        return cast("Consumer", self._acknowledger)


def _session(consumer: Consumer) -> LoopSession:
    return cast("LoopSession", consumer._session)
