"""A browser on an event loop: looks at what waits in a queue (Jakarta Messaging 3.1 §4.1.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType

from rmimom import message as client_message
from rmimom.aio.bridge import Bridge
from rmimom.client import browser as client
from rmimom.destination import Queue


class QueueBrowser:
    """Shows the messages that wait in a queue and takes none; see `rmimom.QueueBrowser`."""

    def __init__(self, browser: client.QueueBrowser, bridge: Bridge) -> None:
        self._browser = browser
        self._bridge = bridge

    @property
    def queue(self) -> Queue:
        """The queue."""
        return self._browser.queue

    @property
    def selector(self) -> str:
        """What chooses among the messages; empty for all."""
        return self._browser.selector

    async def __aiter__(self) -> AsyncIterator[client_message.Message]:
        """The messages.  Raises IllegalStateError if the browser or its session is closed."""
        pages = self._browser._pages()
        while (page := await self._bridge.run(next, pages, None)) is not None:
            for message in page:
                yield message

    async def close(self) -> None:
        """Close the browser; an iteration under way fails at its next page.  Twice is harmless."""
        self._browser.close()

    async def __aenter__(self) -> QueueBrowser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._browser)
