"""Which thread uses a session: it is for one at a time (Jakarta Messaging 3.1 §2.14, §6.2.5).

A check, not a lock.  A call that waits notes its thread, and every call looks whether another one is noted: that finds
two threads in one session as soon as they meet, and costs a call that does not wait no more than a look.

Once a session has observers and its connection is started, its own thread is noted all the time: the session belongs to
the thread that tells them (§6.2.5), and only `close` is for others.
"""

from __future__ import annotations

import threading
from types import TracebackType

from rmimom.errors import IllegalStateError

get_ident = threading.get_ident


class Usage:
    """The thread that a session is used by; `with usage:` notes the caller while it works, and checks first."""

    __slots__ = ("_depth", "_home", "owner")

    def __init__(self) -> None:
        self.owner = 0
        """The ident of the thread that uses the session; 0 if any may.  Who is in a hurry looks before `check`."""
        self._home = 0
        self._depth = 0

    def check(self) -> None:
        """Raise IllegalStateError if another thread uses the session."""
        owner = self.owner
        if not owner or owner == get_ident():
            return
        if owner == self._home:
            raise IllegalStateError(
                "the session has observers and its connection is started, so it belongs to the thread that tells them; "
                "use another session in this thread, or stop the connection first (§6.2.5)"
            )
        raise IllegalStateError(
            "another thread is using the session; a session with its producers and consumers is for one thread "
            "at a time, so create one for each (§6.2.5)"
        )

    def is_elsewhere(self) -> bool:
        """Whether an application's thread other than the caller's is inside."""
        return self.owner not in {0, self._home, get_ident()}

    def dedicate(self, home: int) -> None:
        """From now on the session belongs to this thread; 0 gives it back to any."""
        self._home = home
        if not self._depth:
            self.owner = home

    def __enter__(self) -> Usage:
        self.check()
        self._depth += 1
        self.owner = get_ident()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self.owner = self._home
