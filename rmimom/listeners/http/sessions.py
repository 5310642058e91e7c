"""Sessions: who logged in and has a token since.

They live in memory, so they end with the server.  A token is 256 random bits; only its hash is kept.  A session ends,
too, when its user is removed or has another password.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

import msgspec

from rmimom.clock import Clock

IDLE: Final = 30 * 60 * 1000
"""Milliseconds that a session lasts unused."""
LONGEST: Final = 12 * 3600 * 1000
"""Milliseconds that a session lasts at most."""
_MOST: Final = 1000
"""Sessions at one time; the one that was unused the longest makes room for another."""


class Session(msgspec.Struct):
    """One session; `digest` is that of the password when it began; times in milliseconds since 1970 UTC.

    `notices` are what the console says on its next page, each a level and a text.
    """

    user: str
    digest: bytes
    began: int
    used: int
    notices: list[tuple[str, str]] = []

    @property
    def ends(self) -> int:
        """When it ends if it is not used any more."""
        return min(self.used + IDLE, self.began + LONGEST)


class Sessions:
    """The open sessions; see the module's text."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[bytes, Session] = {}

    def open(self, user: str, digest: bytes) -> tuple[str, Session]:
        """Begin a session; returns its token."""
        now = self._clock.now()
        self._open = {key: session for key, session in self._open.items() if session.ends > now}
        if len(self._open) >= _MOST:
            del self._open[min(self._open, key=lambda key: self._open[key].used)]
        token = secrets.token_urlsafe(32)
        session = self._open[_key(token)] = Session(user, digest, now, now)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of a token, which counts as used now; None if there is none or it has ended."""
        session = self._open.get(_key(token))
        if session is None:
            return None
        now = self._clock.now()
        if session.ends <= now:
            self.close(token)
            return None
        session.used = now
        return session

    def close(self, token: str) -> None:
        """End a session; harmless if there is none."""
        self._open.pop(_key(token), None)

    def __len__(self) -> int:
        return len(self._open)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
