"""A look at a queue: SUBSCRIBE with `browser:true`, as in ActiveMQ.

Each waiting message comes as a MESSAGE, then an empty one with `browser:end`.  Nothing is taken from the queue.  A page
is asked for only when the client has read the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rmimom.commands import Browse
from rmimom.core.browsing import complete
from rmimom.destination import Destination
from rmimom.effects import Page
from rmimom.errors import JMSError
from rmimom.stomp.codec import encode_frame
from rmimom.stomp.requests import Fetch

if TYPE_CHECKING:
    from rmimom.stomp.session import Session

PAGE: Final = 100


class Browser:
    """One look at one queue, or all that match a pattern, known by the id of its subscription."""

    __slots__ = ("_after", "_selector", "_within", "id", "queue", "receipt")

    def __init__(self, id: str, queue: Destination, selector: str, receipt: str | None) -> None:
        self.id = id
        self.queue = queue
        self.receipt = receipt
        self._selector = selector
        self._after: tuple[int, int] | None = None
        self._within = ""

    def go_on(self, session: Session) -> None:
        """Ask for the next page."""
        if session.browsers.get(self.id) is self:
            command = Browse(session.connection, self.queue, self._selector, self._after, PAGE, self._within)
            session.ask(command, lambda value, error: self._turn(session, value, error))

    def _turn(self, session: Session, page: object, error: JMSError | None) -> None:
        if error is not None:
            session.browsers.pop(self.id, None)
            session.refuse(error, self.receipt or "")
            return
        assert isinstance(page, Page)
        if self.receipt is not None:
            session.receipt(self.receipt)
            self.receipt = None
        resting = [message.tag for message in page.messages if not len(message.frame)]
        if resting:
            session.request(Fetch(resting, lambda value, error: self._show(session, page, value, error)))
        else:
            self._show(session, page, {}, None)

    def _show(self, session: Session, page: Page, frames: object, error: JMSError | None) -> None:
        if error is not None or session.closing or session.browsers.get(self.id) is not self:
            return
        assert isinstance(frames, dict)
        for delivered in complete(page, self._selector, frames):
            session.write_browsed(self, delivered)
        self._after, self._within = page.after, page.within
        if page.after is None:
            del session.browsers[self.id]
            self._end(session)
        elif session.paused:
            session.stall(self)
        else:
            self.go_on(session)

    def _end(self, session: Session) -> None:
        headers = {
            "destination": session.names.show(str(self.queue)),
            "subscription": self.id,
            "message-id": session.next_message_id(),
            "browser": "end",
        }
        session.write(encode_frame("MESSAGE", headers, version=session.version))
