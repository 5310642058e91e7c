"""A receipt: the promise of a send that was not waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmimom.client.outbox import Ticket
from rmimom.errors import ConnectionFailedError, JMSError

if TYPE_CHECKING:
    from rmimom.client.exchange import Exchange


class Receipt(Ticket):
    """What `publish_async` gives: the fate of the message, known when the server has it on disk or refused it.

    Messages to one destination that travel together have one fate and share one receipt.
    """

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def done(self) -> bool:
        """Whether the outcome is known; never waits."""
        return self.settled

    def result(self, timeout: float | None = None) -> None:
        """Return when the message is on disk, and on every in-sync standby.

        Raises the server's error if it refused the message, or ConnectionFailedError if there is no outcome within
        `timeout` seconds (by default the connection's `reconnect_timeout`): then it may yet be sent.
        """
        if not self.settled:
            self._check_asked()
            self._exchange.wait_for(self, timeout)
        self.check()

    def _check_asked(self) -> None:
        """Raise TransactionInProgressError if there will be no outcome before somebody asks for a commit."""

    def exception(self) -> JMSError | None:
        """The error of a send that was refused; None if it is on disk or the outcome is not known yet."""
        return self.error

    def __repr__(self) -> str:
        if not self.settled:
            return "<Receipt: under way>"
        return "<Receipt: on disk>" if self.error is None else f"<Receipt: {self.error!r}>"


def late(timeout: float) -> ConnectionFailedError:
    """The error of a call that had no answer in time."""
    return ConnectionFailedError(f"no answer within {timeout:g} s; the outcome is unknown", timeout=timeout)
