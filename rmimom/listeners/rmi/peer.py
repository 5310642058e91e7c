"""Who is at the other end of one TCP connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

log = logging.getLogger(__name__)

SECRET_PREFIX: Final = "rmimom.connection."  # noqa: S105 - what follows it is the secret
"""An object id that begins so is the key to its object: it is told to nobody who does not know it, nor to the log."""


class Line(Protocol):
    """What a peer needs of its connection."""

    def shut(self, reason: str) -> None:
        """End the connection once the call under way is answered and everything is sent."""
        ...


class Peer:
    """One connected proxy.

    `address` is (host, port); `object_id` the object it shook hands for; `user` what `authenticate` made of its
    handshake, None before that.
    """

    __slots__ = ("_callbacks", "_line", "address", "closed", "object_id", "user")

    def __init__(self, line: Line, address: tuple[str, int]) -> None:
        self._line = line
        self._callbacks: list[Callable[[], None]] | None = None
        self.address = address
        self.object_id = ""
        self.user: object = None
        self.closed = False

    def __repr__(self) -> str:
        host, port = self.address
        name = f"{SECRET_PREFIX}…" if self.is_for_secret_object else self.object_id[:80]
        return f"<Peer {host}:{port} for {name!r}{' closed' if self.closed else ''}>"

    @property
    def is_for_secret_object(self) -> bool:
        """Whether it shook hands for the object of a client's connection."""
        return self.object_id.startswith(SECRET_PREFIX)

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the connection is gone, or now if it is gone already."""
        if self.closed:
            callback()
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def close(self, reason: str) -> None:
        """End the connection once the call under way is answered.  Harmless on a closed one."""
        if not self.closed:
            self._line.shut(reason)

    def connection_lost(self) -> None:
        """Tell everybody who asked; the listener calls this once."""
        self.closed = True
        callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            try:
                callback()
            except Exception:
                log.exception("a callback for the end of %r failed", self)
