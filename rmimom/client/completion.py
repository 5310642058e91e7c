"""Completion listeners: whoever sends without waiting may be told of each outcome (Jakarta Messaging 3.1 §7.3).

A session has one thread for it, since the first such send.  It waits for the outcomes in the order of the sends, doing
the exchanges itself if nobody else does, and calls one listener at a time.

Rule 1: listeners are called in the order of the sends, and never in a thread that sends.
Rule 2: no observer of the session runs while a completion listener does, but one that waits for completions in `commit`
        or the like, which would wait for ever otherwise.  Outcomes that are known go before the next message.
Rule 3: what is waited for in `finish` has been told: the listener has returned.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rmimom.client.outbox import Ticket, again
from rmimom.errors import IllegalStateError, JMSError
from rmimom.message import Message

if TYPE_CHECKING:
    from rmimom.client.producer import Producer
    from rmimom.client.session import Session

log = logging.getLogger("rmimom.client")


class CompletionListener(Protocol):
    """Somebody to tell of the outcome of a send: an object with these two methods (§7.3).

    They run in a thread of the session.  They may use the session only if no other thread does, and must not close
    their producer, session or connection nor end the transaction: that raises IllegalStateError.
    """

    def on_completion(self, message: Message) -> None:
        """The message is where `send` would have returned: on the server's disk, or in the open transaction."""
        ...

    def on_exception(self, message: Message, error: JMSError) -> None:
        """The message was refused; or after ConnectionFailedError its outcome is unknown."""
        ...


class _Send(NamedTuple):
    producer: Producer
    message: Message
    ticket: Ticket | None  # None: there is nothing to wait for
    listener: CompletionListener


class Completions:
    """The sends of one session whose listeners have not been told."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._exchange = session._connection._exchange
        self._changed = threading.Condition()
        self._sends: deque[_Send] = deque()  # the first is the one being waited for or told
        self._thread: threading.Thread | None = None
        self._telling: Producer | None = None
        self._ended = False
        self.has_turn = False
        """Whether a listener runs, or is about to; guarded by the session's lock."""

    @property
    def is_empty(self) -> bool:
        """Whether every listener has been told."""
        return not self._sends

    @property
    def is_mine(self) -> bool:
        """Whether the caller runs in the thread of the listeners."""
        return self._thread is threading.current_thread()

    def add(self, producer: Producer, message: Message, ticket: Ticket | None, listener: CompletionListener) -> None:
        """Tell `listener` when the ticket is settled."""
        with self._changed:
            self._sends.append(_Send(producer, message, ticket, listener))
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rmimom-completions", daemon=True)
                self._thread.start()

    def refuse_here(self, what: str, producer: Producer | None = None) -> None:
        """Raise IllegalStateError in a listener's call, for the producer of its message or for any (§7.3.4)."""
        if self.is_mine and (producer is None or producer is self._telling):
            raise IllegalStateError(f"a completion listener cannot {what}; leave it to another thread (§7.3.4)")

    def finish(self, producer: Producer | None = None) -> None:
        """Return when the listeners of all sends, or of those of one producer, have returned.

        In the thread of the listeners it returns at once: they are told one after the other.
        """
        if self.is_mine or not self._sends:
            return
        with self._session._thread.standing_aside(), self._changed:
            self._changed.wait_for(
                lambda: not any(producer is None or send.producer is producer for send in self._sends)
            )

    def end(self) -> None:
        """The session is closed: end the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._sends or self._ended)
                if not self._sends:
                    return
                send = self._sends[0]
            error = self._outcome(send.ticket)
            self._take_turn()
            try:
                self._tell(send, error)
            finally:
                self._give_turn()
                with self._changed:
                    self._telling = None
                    self._sends.popleft()
                    self._changed.notify_all()

    def _outcome(self, ticket: Ticket | None) -> JMSError | None:
        if ticket is None:
            return None
        try:
            if not ticket.settled:
                self._exchange.wait_for(ticket)
        except JMSError as error:
            return error
        return None if ticket.error is None else again(ticket.error)

    def _tell(self, send: _Send, error: JMSError | None) -> None:
        self._telling = send.producer
        try:
            if error is None:
                send.listener.on_completion(send.message)
            else:
                send.listener.on_exception(send.message, error)
        except Exception:
            log.exception("a completion listener failed with message %s", send.message.message_id)

    def _take_turn(self) -> None:
        session = self._session
        with session._lock:
            self.has_turn = True
            session._arrived.wait_for(lambda: session._thread.is_quiet)

    def _give_turn(self) -> None:
        with self._session._lock:
            self.has_turn = False
            self._session._arrived.notify_all()


def check_completion_listener(listener: object) -> None:
    """Raise TypeError unless both methods are there."""
    for name in ("on_completion", "on_exception"):
        if not callable(getattr(listener, name, None)):
            raise TypeError(f"{listener!r} is no completion listener: it has no method {name}")
