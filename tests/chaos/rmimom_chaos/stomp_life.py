"""One connection of stomp.py, from CONNECT to its loss: what is asked, what is answered, what is delivered.

stomp.py tells its listener of every frame in a thread of its own, and does not connect again by itself.  A connection
that is lost stays lost: another one is another life.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, Final

import stomp
import stomp.exception

from rmimom_chaos.client import RefusedError, UnknownError, Wait
from rmimom_chaos.recorder import now
from rmimom_chaos.scene import Address

BEAT: Final = 2000
"""Milliseconds between heart-beats, both ways: stomp.py gives up after one and a half of them."""
GREETING: Final = 3.0
"""Seconds that a server may take to accept a connection, and to answer CONNECT."""
ANSWER: Final = 120.0
"""Seconds in which a server that beats must confirm what it was asked for, or refuse it."""
GOODBYE: Final = 5.0
"""Seconds that a server may take to answer DISCONNECT."""
UNKNOWN_OUTCOME: Final = "the outcome of this call is unknown"
"""What an ERROR says if it does not mean that nothing was done."""


class Life(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py has no types
    """A connection to the first of `hosts` that accepts one; `on_loss` is called if one that was made is lost."""

    def __init__(self, hosts: Sequence[Address], on_loss: Callable[[], None]) -> None:
        self.messages: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self.welcome: dict[str, str] = {}
        self.lost = threading.Event()
        self._on_loss = on_loss
        self._greeted = threading.Event()
        self._numbers = count(1)
        self._asked: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self.connection = stomp.Connection12(
            list(hosts),
            # They are asked in our order, and nobody's name is looked up.
            prefer_localhost=False,
            try_loopback_connect=False,
            reconnect_attempts_max=1,
            timeout=GREETING,
            heartbeats=(BEAT, BEAT),
            # With a length it would be a bytes message.
            auto_content_length=False,
        )
        self.connection.set_listener("chaos", self)

    # What stomp.py tells, in its thread.

    def on_connected(self, frame: Any) -> None:
        """The server lets us in."""
        self.welcome = dict(frame.headers)
        self._greeted.set()

    def on_message(self, frame: Any) -> None:
        """A message came."""
        self.messages.put((now(), frame))

    def on_receipt(self, frame: Any) -> None:
        """Something is confirmed."""
        asked = self._answered(frame)
        if asked is not None:
            asked.set_result(None)

    def on_error(self, frame: Any) -> None:
        """Something is refused, CONNECT perhaps."""
        asked = self._answered(frame)
        text = frame.body or frame.headers.get("message", "")
        if asked is not None:
            asked.set_exception((UnknownError if UNKNOWN_OUTCOME in text else RefusedError)(text))
        elif not self.welcome:
            self._greeted.set()

    def on_disconnected(self) -> None:
        """The connection is lost, and with it what was not answered."""
        with self._lock:
            if self.lost.is_set():
                return
            self.lost.set()
            left, self._asked = self._asked, {}
        self._greeted.set()
        if self.welcome:
            self._on_loss()
        for asked in left.values():
            asked.set_exception(UnknownError("the connection was lost"))

    def _answered(self, frame: Any) -> Future[None] | None:
        with self._lock:
            return self._asked.pop(frame.headers.get("receipt-id", ""), None)

    # What we do.

    def begin(self, user: str, password: str, headers: dict[str, str]) -> bool:
        """Connect; whether a server let us in.  stomp.py has no time limit for that, so it is kept here."""
        try:
            self.connection.connect(user, password, headers=headers)
        except (stomp.exception.StompException, OSError, TypeError):
            # TypeError: the server hung up before CONNECT was written, and stomp.py has forgotten whose name to write.
            self.drop()
            return False
        self._greeted.wait(GREETING)
        if not self.welcome:
            self.drop()
        return bool(self.welcome)

    def ask(self, act: Callable[[str], object]) -> Wait:
        """Do something with a receipt, whose name `act` is given."""
        asked: Future[None] = Future()
        receipt = str(next(self._numbers))
        with self._lock:
            gone = self.lost.is_set()
            if not gone:
                self._asked[receipt] = asked
        if gone:
            asked.set_exception(RefusedError("there is no connection any more"))
        else:
            self._act(lambda: act(receipt))
        return lambda: asked.result(ANSWER)

    def _act(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (stomp.exception.StompException, OSError):
            # It may have been written in part: what was asked is unknown then.
            self.drop()

    def end(self) -> None:
        """Say goodbye, and wait a moment for the answer."""
        if not self.lost.is_set():
            self._act(self.connection.disconnect)
            self.lost.wait(GOODBYE)
        self.drop()

    def drop(self) -> None:
        """Close the connection without a word; twice is harmless."""
        # A thread of stomp.py may close it at the same time and take the socket away under it.
        with contextlib.suppress(AttributeError, OSError):
            self.connection.transport.disconnect_socket()
        self.on_disconnected()
