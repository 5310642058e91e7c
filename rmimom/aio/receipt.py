"""A receipt: the promise of a send that was not waited for, on an event loop."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rmimom.aio.bridge import Bridge
from rmimom.client import receipt as client
from rmimom.errors import JMSError


class Receipt:
    """What `send_async` gives: the fate of the message, known when the server has it on disk or refused it.

    `await receipt` is `await receipt.result()`.  Messages that travel together have one fate and share one receipt.
    """

    def __init__(self, receipt: client.Receipt, bridge: Bridge) -> None:
        self._receipt = receipt
        self._bridge = bridge

    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._receipt.done()

    async def result(self, timeout: float | None = None) -> None:
        """Return when the message is on disk; raises what `rmimom.Receipt.result` raises.  May be cancelled."""
        if not self._receipt.settled:
            self._receipt._check_asked()
            await self._bridge.settled(self._receipt, timeout)
        self._receipt.check()

    def __await__(self) -> Generator[Any, Any, None]:
        return self.result().__await__()

    def exception(self) -> JMSError | None:
        """The error of a send that was refused; None if it is on disk or the outcome is not known yet."""
        return self._receipt.exception()

    def __repr__(self) -> str:
        return repr(self._receipt)
