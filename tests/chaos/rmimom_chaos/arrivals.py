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
        self._times: dict[int, tuple[int, int]] = {}
        self._accept = connection._delivery.accept
        connection._delivery.accept = self._note  # type: ignore[method-assign]  # there is no other way to know

    def _note(self, life: int, data: memoryview) -> int:
        time = now()
        for delivered in decode_deliveries(data).delivered:
            # A batch may come twice over one connection to the server, and the first time counts.
            if self._times.get(delivered.tag, (-1, 0))[0] != life:
                self._times[delivered.tag] = life, time
        return self._accept(life, data)

    def take(self, tag: int) -> int:
        """When a message came, in milliseconds since 1970 UTC; 0 if that is not known.  It is asked once."""
        return self._times.pop(tag, (0, 0))[1]
