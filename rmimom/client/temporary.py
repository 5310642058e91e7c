"""The temporary destinations of a connection (Jakarta Messaging 3.1 §6.2.2).

The server forgets them when it loses the connection.  Peers that hold their names in a `reply_to` know nothing of
that, so they are made again under these names before anything else on the way to a new server; what waited there at
the old one is gone.  The names have 128 bits of chance, so that nobody else can have made them meanwhile.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, TypeVar

from rmimom.destination import Temporary, belonging

if TYPE_CHECKING:
    from rmimom.client.exchange import Exchange
    from rmimom.client.transport import Channel

_T = TypeVar("_T", bound=Temporary)


class Temporaries:
    """Makes them, deletes them, and makes them again."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._made: dict[str, Temporary] = {}  # under the lock of the exchange

    def create(self, kind: type[_T]) -> _T:
        """A new one.  Raises the server's refusal, and ConnectionFailedError if none answers in time."""
        made = kind(secrets.token_hex(16))
        name = str(made)

        def keep() -> None:
            self._made[name] = made

        self._exchange.until_answered(lambda: self._exchange.call("create_temporary", name, then=keep))
        belonging(made, self.delete)
        return made

    def delete(self, made: Temporary) -> None:
        """Delete one; what the connection does not have any more is deleted.  Raises the server's refusal."""
        name = str(made)
        if name in self._made:

            def forget() -> None:
                self._made.pop(name, None)

            self._exchange.until_answered(lambda: self._exchange.call("delete_temporary", name, then=forget))

    def restore(self, channel: Channel) -> None:
        """Make all of them again, at a server that does not have them."""
        with self._exchange.lock:
            names = list(self._made)
        for name in names:
            channel.call("create_temporary", name)

    def forget(self) -> None:
        """The connection is closed."""
        with self._exchange.lock:
            self._made.clear()
