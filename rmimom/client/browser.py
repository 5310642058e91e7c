"""A browser: looks at what waits in a queue (Jakarta Messaging 3.1 §4.1.6)."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final

from Pyro5.api import current_context

from rmimom.destination import Queue
from rmimom.errors import ConnectionFailedError, IllegalStateError
from rmimom.frame import ANNOTATION, BrowsedPage, decode_page
from rmimom.message import Message

if TYPE_CHECKING:
    from rmimom.client.session import Session

PAGE: Final = 100
"""Messages that are fetched at once."""


class QueueBrowser:
    """Shows the messages that wait in a queue and takes none; made by a Session.

    Each iteration begins anew and goes through the queue in the order of delivery, fetching some messages at a time: it
    shows what waits while it passes.  Messages with consumers, delayed and expired ones do not wait.
    With a pattern of queues it shows all that match, one after the other, in the order of their names.
    """

    def __init__(self, session: Session, queue: Queue, selector: str) -> None:
        self.queue = queue
        self.selector = selector
        self._session = session
        self._closed = False
        self._page(None, "", 0)  # the server looks at the selector

    def __iter__(self) -> Iterator[Message]:
        """The messages.  Raises IllegalStateError if the browser or its session is closed."""
        for page in self._pages():
            yield from page

    def _pages(self) -> Iterator[list[Message]]:
        after: tuple[int, int] | None = None
        within = ""
        while True:
            page = self._page(after, within, PAGE)
            yield [
                Message.from_frame(bytes(found.frame), tag=found.tag, delivery_count=found.counts[0], note=found.note)
                for found in page.messages
            ]
            after, within = page.after, page.within
            if after is None:
                return

    def _page(self, after: tuple[int, int] | None, within: str, limit: int) -> BrowsedPage:
        if self._closed:
            raise IllegalStateError(f"this browser of {self.queue} is closed; create another one")
        self._session._check_open()
        exchange = self._session._connection._exchange

        def ask() -> BrowsedPage:
            exchange.call("browse", str(self.queue), self.selector, after, limit, within)
            data = current_context.response_annotations.get(ANNOTATION)
            if data is None:
                raise ConnectionFailedError(f"the server's answer has no page of {self.queue}")
            return decode_page(bytes(data))

        # Another server knows the places in the queue too, so the iteration goes on where it was.
        return exchange.until_answered(ask)

    def close(self) -> None:
        """Close the browser; an iteration under way fails at its next page.  Twice is harmless."""
        self._closed = True

    def __enter__(self) -> QueueBrowser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<QueueBrowser {self.queue}{' closed' if self._closed else ''}>"
