"""What a connection tells its listeners of itself."""

from __future__ import annotations

import msgspec

from rmimom.errors import JMSError


class ConnectionEvent(msgspec.Struct, frozen=True):
    """What happened to a connection.

    `kind` is "lost", "failed" (lost for longer than `reconnect_timeout`), "restored" or "closed"; `error` says why, for
    the first two.
    """

    kind: str
    error: JMSError | None = None
