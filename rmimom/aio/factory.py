"""The ConnectionFactory of an event loop: where a program begins."""

from __future__ import annotations

from typing import Unpack

from rmimom.aio.bridge import Bridge
from rmimom.aio.connection import Connection
from rmimom.aio.context import Context
from rmimom.aio.opening import Opening
from rmimom.aio.session import Session
from rmimom.client import connection as client_connection
from rmimom.client import factory as client
from rmimom.client.mode import AUTO_ACKNOWLEDGE, AcknowledgeMode, mode_of
from rmimom.client.options import ConnectionOptions
from rmimom.destination import FACTORY_NAME


class ConnectionFactory:
    """Makes connections to the server that stands in the name server; see `rmimom.ConnectionFactory`.

    A factory is for any loop; a connection belongs to the loop in which it was made.
    """

    def __init__(self, nameserver: str | None = None, *, uri: str | None = None, name: str = FACTORY_NAME) -> None:
        self._factory = client.ConnectionFactory(nameserver, uri=uri, name=name)

    def create_connection(
        self,
        user: str | None = None,
        password: str | None = None,
        *,
        start: bool = True,
        **options: Unpack[ConnectionOptions],
    ) -> Opening[Connection]:
        """Connect to the server; see `rmimom.ConnectionFactory.create_connection` for options and errors.

        If cancelled, what was opened is closed.
        """

        def connect() -> client_connection.Connection:
            return self._factory.create_connection(user, password, start=start, **options)

        async def make() -> Connection:
            bridge = Bridge()
            try:
                return Connection(await bridge.run(connect, undo=lambda made: made.close()), bridge)
            except BaseException:
                bridge.close()
                raise

        return Opening(make)

    def create_context(
        self,
        user: str | None = None,
        password: str | None = None,
        mode: AcknowledgeMode = AUTO_ACKNOWLEDGE,
        *,
        transacted: bool = False,
        **options: Unpack[ConnectionOptions],
    ) -> Opening[Context]:
        """Connect and make a context; see `rmimom.ConnectionFactory.create_context`."""

        async def make() -> Context:
            chosen = mode_of(mode, transacted=transacted)
            connection = await self.create_connection(user, password, start=False, **options)
            return Context(connection, Session(connection._add_session(chosen, False)), family=[])

        return Opening(make)

    def __repr__(self) -> str:
        return repr(self._factory)


def connect(
    user: str | None = None,
    password: str | None = None,
    mode: AcknowledgeMode = AUTO_ACKNOWLEDGE,
    *,
    nameserver: str | None = None,
    uri: str | None = None,
    transacted: bool = False,
    **options: Unpack[ConnectionOptions],
) -> Opening[Context]:
    """Connect and make a context: `ConnectionFactory(nameserver, uri=uri).create_context(...)` in one call."""
    return ConnectionFactory(nameserver, uri=uri).create_context(user, password, mode, transacted=transacted, **options)
