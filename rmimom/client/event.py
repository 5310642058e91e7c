"""What a connection tells its listeners of itself."""

from __future__ import annotations

import msgspec

from rmimom.client.manager import Welcome
from rmimom.errors import JMSError


class ConnectionEvent(msgspec.Struct, frozen=True):
    """What happened to a connection, and with which server.

    `kind` is "lost", "failed" (lost for longer than `reconnect_timeout`), "restored" or "closed"; `error` says why, for
    the first two.  `address` (HOST:PORT), `server_id` and `epoch` are those of the server that was lost, found, or
    serving last.  After a failover the id is another one; the epoch is larger after a restart as well.
    """

    kind: str
    error: JMSError | None = None
    address: str = ""
    server_id: str = ""
    epoch: int = 0

    @classmethod
    def at(cls, server: Welcome, kind: str, error: JMSError | None = None) -> ConnectionEvent:
        """An event of a connection that is, or was, with the server that said this."""
        return cls(kind, error, server.address, server.server_id, server.epoch)
