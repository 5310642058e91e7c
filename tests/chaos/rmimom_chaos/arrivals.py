"""When messages came to a process, which may be long before its application receives them."""

from __future__ import annotations

from rmimom import Connection
from rmimom.frame import decode_deliveries
from rmimom_chaos.recorder import now


class Arrivals:
    """Listens to what is delivered to a connection.

    A message that was acknowledged may be waiting here by then, for the server had given it to this client before: only
    one that arrives later shows that the acknowledgement was forgotten.
    """

    def __init__(self, connection: Connection) -> None:
        self._seen: dict[int, tuple[int, int, int]] = {}
        self._epochs: dict[int, int] = {}  # of the server that each life of the connection belongs to
        self._connection = connection
        self._accept = connection._delivery.accept
        connection._delivery.accept = self._note  # type: ignore[method-assign]  # there is no other way to know

    def _note(self, life: int, data: memoryview) -> int:
        time = now()
        epoch = self._epochs.setdefault(life, self._connection._welcome.epoch)
        for delivered in decode_deliveries(data).delivered:
            # A batch may come twice over one connection to the server, and the first time counts.
            if self._seen.get(delivered.tag, (-1,))[0] != life:
                self._seen[delivered.tag] = life, time, epoch
        return self._accept(life, data)

    def take(self, tag: int) -> tuple[int, int]:
        """When a message came, in milliseconds since 1970 UTC, and in which epoch; it is asked once for each coming."""
        _, time, epoch = self._seen.pop(tag, (0, 0, 0))
        return time, epoch
