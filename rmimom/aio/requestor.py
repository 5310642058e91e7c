"""Questions and answers on an event loop (Jakarta Messaging 3.1 §2.16, §4.1.7)."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack, cast

from rmimom.aio.bridge import Bridge
from rmimom.client import requestor as client

if TYPE_CHECKING:
    from rmimom.aio.loop_session import LoopSession
    from rmimom.aio.message import Message
    from rmimom.client.options import RequestOptions
    from rmimom.destination import Destination


class PendingReply:
    """The reply to one request, which may still come; made by `Requestor.ask`.  `await` it, or its `result`."""

    def __init__(self, pending: client.PendingReply, requestor: client.Requestor, bridge: Bridge) -> None:
        self._pending = pending
        self._requestor = requestor
        self._bridge = bridge

    def done(self) -> bool:
        """Whether the reply is here."""
        return self._pending.done()

    async def result(self, timeout: float | None = 5.0) -> Message | None:
        """The reply, or None if none came within `timeout` seconds; see `rmimom.PendingReply.result`.

        If cancelled, the request is given up: a reply that comes later is dropped.
        """
        pending, requestor, loop = self._pending, self._requestor, self._bridge.loop
        deadline = None if timeout is None else loop.time() + timeout
        receipt = pending._receipt
        assert receipt is not None
        try:
            await self._bridge.settled(receipt, timeout)
            receipt.check()
            listening = cast("LoopSession", requestor._listening)
            while not requestor._has_come(pending):
                remaining = None if deadline is None else deadline - loop.time()
                if remaining is not None and remaining <= 0:
                    return None
                await listening.arrival(lambda: requestor._has_come(pending), remaining)
            return cast("Message", pending._reply)
        finally:
            with requestor._lock:
                requestor._forget(pending)

    def __await__(self) -> Generator[Any, Any, Message | None]:
        return self.result().__await__()


class Requestor:
    """Sends requests to one destination and waits for their replies; see `rmimom.Requestor`."""

    def __init__(self, requestor: client.Requestor, bridge: Bridge) -> None:
        self._requestor = requestor
        self._bridge = bridge

    @property
    def destination(self) -> Destination:
        """Where the requests go."""
        return self._requestor.destination

    async def request(
        self, body: object, *, timeout: float | None = 5.0, **options: Unpack[RequestOptions]
    ) -> Message | None:
        """Send a request and return its reply, or None if none came within `timeout` seconds.

        See `rmimom.Requestor.request`.  If cancelled, a reply that comes later is dropped.
        """
        return await (await self.ask(body, **options)).result(timeout)

    async def ask(self, body: object, **options: Unpack[RequestOptions]) -> PendingReply:
        """Send a request and go on; the reply is asked for later.  See `rmimom.Requestor.ask`."""
        self._bridge.check_loop()
        await self._bridge.room()
        return PendingReply(self._requestor.ask(body, **options), self._requestor, self._bridge)

    async def close(self) -> None:
        """Close the requestor; see `rmimom.Requestor.close`."""
        await self._bridge.run_apart(self._requestor.close)

    async def __aenter__(self) -> Requestor:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._requestor)
