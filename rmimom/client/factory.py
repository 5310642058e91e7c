"""The ConnectionFactory: where a program begins."""

from __future__ import annotations

import time
from typing import Final, Unpack

from rmimom.client.connection import Connection
from rmimom.client.context import Context
from rmimom.client.manager import ClientConnectionManager, delays
from rmimom.client.mode import AUTO_ACKNOWLEDGE, AcknowledgeMode, mode_of
from rmimom.client.options import ConnectionOptions
from rmimom.destination import FACTORY_NAME
from rmimom.errors import ConfigurationError, ConnectionFailedError, IllegalStateError

CONNECT_PATIENCE: Final = 10.0
RECONNECT_PATIENCE: Final = 60.0
MAX_IN_FLIGHT: Final = 1000
DELIVERIES: Final = ("auto", "callback", "pull")


class ConnectionFactory:
    """Makes connections to the server that stands in the name server (Jakarta Messaging 3.1 §5.2).

    `nameserver` is HOST or HOST:PORT of a Pyro5 name server; by default the environment variable RMIMOM_NAMESERVER,
    else localhost:9090.  `uri` is the Pyro URI of the server's factory object, and no name server is asked then;
    `name` is the factory's name in the name server.  Any thread may use a factory.
    Its connections have the client id `client_id`, if it is given (§6.1.2); with `user_id` each message sent has the
    property JMSXUserID, the user of the connection (§3.5.9).
    Raises ConfigurationError if one of them cannot be right.
    """

    def __init__(
        self,
        nameserver: str | None = None,
        *,
        uri: str | None = None,
        name: str = FACTORY_NAME,
        client_id: str | None = None,
        user_id: bool = False,
    ) -> None:
        self._client_id = client_id or ""
        self._user_id = user_id
        self._manager = ClientConnectionManager(nameserver, uri, name)
        self._where = uri or f"{name} at name server {self._manager.nameserver}"

    def create_connection(
        self,
        user: str | None = None,
        password: str | None = None,
        *,
        client_id: str | None = None,
        delivery: str = "auto",
        start: bool = True,
        connect_timeout: float = CONNECT_PATIENCE,
        reconnect_timeout: float = RECONNECT_PATIENCE,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> Connection:
        """Connect to the server, trying again for up to `connect_timeout` seconds if none answers.

        Durable subscriptions belong to `client_id`, or to the user if there is none; a client id can be connected once
        at a time, a user as often as it likes (§6.1.2).

        `delivery` says how messages come: "callback", the server calls an object in this process; "pull", this process
        asks; "auto", callback if the server can reach us, else pull.

        A connection delivers from the beginning, for that is what nearly every program wants; with `start=False` it
        waits for `Connection.start`, as JMS has it (§6.1.4).

        When the server is lost the connection finds it again by itself and calls wait meanwhile, at most
        `reconnect_timeout` seconds; then they raise ConnectionFailedError, while the search goes on.
        `max_in_flight` messages may be sent and not confirmed; then `publish_async` waits.

        Raises ConnectionFailedError if no server answers, JMSSecurityError for a wrong user or password,
        InvalidClientIDError for a client id in use, ConfigurationError for a setting that cannot be.
        """
        if delivery not in DELIVERIES:
            raise ConfigurationError(f"delivery is {delivery!r}; it must be one of {', '.join(DELIVERIES)}")
        if max_in_flight < 1:
            raise ConfigurationError(f"max_in_flight is {max_in_flight}; at least 1 message must be allowed")
        if client_id and self._client_id:
            raise IllegalStateError(
                f"the connections of this factory have the client id {self._client_id!r} and no other (§6.1.2)"
            )
        connection = Connection(
            self._manager,
            user or "",
            password or "",
            client_id=client_id or self._client_id,
            delivery=delivery,
            reconnect_timeout=reconnect_timeout,
            max_in_flight=max_in_flight,
            user_id=self._user_id,
        )
        deadline = time.monotonic() + connect_timeout
        for delay in delays():
            try:
                connection._open()
                break
            except ConnectionFailedError as error:
                if time.monotonic() + delay >= deadline:
                    raise ConnectionFailedError(
                        f"no server within {connect_timeout:g} s: {error.text}", **error.facts
                    ) from error
            time.sleep(delay)
        if start:
            connection._start()
        return connection

    def create_context(
        self,
        user: str | None = None,
        password: str | None = None,
        mode: AcknowledgeMode = AUTO_ACKNOWLEDGE,
        *,
        transacted: bool = False,
        **options: Unpack[ConnectionOptions],
    ) -> Context:
        """Connect and make a context, whose connection is closed with its last context (§2.8).

        The options and the errors are those of `create_connection`.  Nothing is delivered before there is a consumer.
        """
        mode = mode_of(mode, transacted=transacted)
        return Context(self.create_connection(user, password, start=False, **options), mode, family=[])

    def __repr__(self) -> str:
        return f"<ConnectionFactory {self._where}>"


def connect(
    user: str | None = None,
    password: str | None = None,
    mode: AcknowledgeMode = AUTO_ACKNOWLEDGE,
    *,
    nameserver: str | None = None,
    uri: str | None = None,
    transacted: bool = False,
    **options: Unpack[ConnectionOptions],
) -> Context:
    """Connect and make a context: `ConnectionFactory(nameserver, uri=uri).create_context(...)` in one call."""
    return ConnectionFactory(nameserver, uri=uri).create_context(user, password, mode, transacted=transacted, **options)
