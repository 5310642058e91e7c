"""Reading for the core, which has no store: frames that it asks for, and messages that it holds against a selector.

It is done on the store's thread between the commits, some messages at a time so that no commit waits for long; what was
found goes to the core as commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rmimom.commands import Command, Fetched
from rmimom.core.examining import examine
from rmimom.effects import Examine, Fetch
from rmimom.store.base import Store
from rmimom.store.thread import StoreThread

READ_AT_ONCE = 500
"""Messages that are read from the store in one go."""


class Reading:
    """Reads messages; `tell` takes what was found, and `fail` is called if the store cannot be read."""

    def __init__(
        self,
        store: Store,
        thread: StoreThread,
        tell: Callable[[Command], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._thread = thread
        self._tell = tell
        self._fail = fail
        self._ended = False

    def read(self, asked: Examine | Fetch, start: int = 0) -> None:
        """Read what is asked for, from the message at `start` on; waits for nothing."""
        ids = asked.ids[start : start + READ_AT_ONCE]
        if not ids or self._ended:
            return

        def read() -> Sequence[Command]:
            frames = self._store.frames(ids)
            return [Fetched(ids, frames)] if isinstance(asked, Fetch) else examine(asked, frames)

        def answer(done: asyncio.Future[Sequence[Command]]) -> None:
            error = done.exception()
            if error is not None:
                self._fail(error)
                return
            for found in done.result():
                self._tell(found)
            self.read(asked, start + READ_AT_ONCE)

        self._thread.run(read).add_done_callback(answer)

    def end(self) -> None:
        """Begin to read nothing more; twice is harmless."""
        self._ended = True
