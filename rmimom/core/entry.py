"""One waiting message as the core remembers it."""

from __future__ import annotations

import msgspec

from rmimom.wishes import Wishes


class Entry(msgspec.Struct, gc=False):
    """A message that waits in one or more mailboxes.

    Small on purpose: there is one for each waiting message, while the frame itself rests in the store.
    `frame` is None when only the store has it; `stored` says that the store has it; `references` counts the
    mailboxes it waits in; `expiration` is in milliseconds since 1970 UTC, 0 for never; `wishes` is what its sender
    asked for, None for nothing.
    """

    id: int
    priority: int
    expiration: int
    size: int
    references: int
    stored: bool
    frame: bytes | None
    wishes: Wishes | None = None
