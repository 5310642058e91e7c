"""The ClientConnectionManager: finds the server that is active now, and finds it again after it moved.

The name server is asked only when the address known is no good, and its connection is released at once: the stock name
server has 80 threads, and each open connection holds one.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from Pyro5 import core
from Pyro5.errors import NamingError, PyroError

from rmimom.client.transport import call_once
from rmimom.errors import ConfigurationError, ConnectionFailedError

DEFAULT_NAMESERVER: Final = "localhost:9090"
"""Where Pyro5's name server listens unless told otherwise."""
NAMESERVER_VARIABLE: Final = "RMIMOM_NAMESERVER"
"""The environment variable for another place, as HOST or HOST:PORT."""
FIRST_DELAY: Final = 0.05
FREQUENT_DELAY: Final = 0.5
FREQUENT_ATTEMPTS: Final = 24
LONGEST_DELAY: Final = 5.0


class Welcome(msgspec.Struct, frozen=True):
    """What the server says of a new connection (docs/design/0003); times in milliseconds, sizes in bytes."""

    connection: str
    server: str = ""
    server_time: int = 0
    server_id: str = ""
    epoch: int = 0
    max_message_size: int = 100 * 1024 * 1024
    heartbeat: float = 10.0

    @property
    def reign(self) -> tuple[str, int]:
        """Which server in which of its epochs; the same server has another one after it was started again."""
        return self.server_id, self.epoch

    @property
    def address(self) -> str:
        """HOST:PORT of the server."""
        return str(core.URI(self.connection).location)


class ClientConnectionManager:
    """Creates connections at the server that stands in the name server under `name`.

    `nameserver` is HOST or HOST:PORT, by default what the environment variable RMIMOM_NAMESERVER says, else
    localhost:9090.  With `uri`, the Pyro URI of the factory object, no name server is asked.
    Raises ConfigurationError if they cannot be addresses.
    """

    def __init__(self, nameserver: str | None, uri: str | None, name: str) -> None:
        self.name = name
        self.nameserver = nameserver or os.environ.get(NAMESERVER_VARIABLE) or DEFAULT_NAMESERVER
        self._nameserver_uri = _nameserver_uri(self.nameserver)
        if uri is not None:
            _check_uri(uri)
        self._fixed = uri
        self._known = uri

    @property
    def looks_up(self) -> bool:
        """Whether the server stands in a name server, so that another one can take its place."""
        return self._fixed is None

    def moved_to(self, factory: str) -> None:
        """Somebody found the factory object here: ask it next, and not one that may hang."""
        self._known = factory

    def create_connection(self, user: str, password: str, options: Mapping[str, object]) -> Welcome:
        """Ask the server for a connection: at the address known, and if nobody answers there, at the one looked up.

        Raises ConnectionFailedError if no server answers, and what the server refuses with.
        """
        known = self._known
        if known is not None:
            try:
                return self._ask(known, user, password, options)
            except ConnectionFailedError:
                if self._fixed is not None:
                    raise
                self._known = None
        found = self.find()
        welcome = self._ask(found, user, password, options)
        self._known = found
        return welcome

    def find(self) -> str:
        """The URI of the factory object, from the name server; raises ConnectionFailedError if it does not tell."""
        try:
            return str(call_once(self._nameserver_uri, "lookup", self.name))
        except NamingError as error:
            raise ConnectionFailedError(
                f"the name server at {self.nameserver} knows no {self.name!r}; "
                "start rmimom-server, or name the name server that it uses",
                nameserver=self.nameserver,
                name=self.name,
            ) from error
        except ConnectionFailedError as error:
            raise ConnectionFailedError(
                f"no name server answers at {self.nameserver}; start rmimom-ns there, or say where it is with "
                f"ConnectionFactory(nameserver=...) or {NAMESERVER_VARIABLE} ({error})",
                nameserver=self.nameserver,
            ) from error

    def _ask(self, uri: str, user: str, password: str, options: Mapping[str, object]) -> Welcome:
        answer = call_once(uri, "create_connection", user, password, dict(options))
        try:
            return msgspec.convert(answer, Welcome, strict=False)
        except msgspec.ValidationError as error:
            raise ConnectionFailedError(f"the object at {uri} is no rmimom ConnectionFactory: {error}") from None


def delays() -> Iterator[float]:
    """Seconds to wait before each new attempt: doubling from `FIRST_DELAY` to `FREQUENT_DELAY`, then `LONGEST_DELAY`.

    A failover or a restart is a matter of seconds, so the first `FREQUENT_ATTEMPTS` come close to each other.  Chance
    takes away up to half, so that the clients of a server that died do not all come at the same moment.
    """
    delay = FIRST_DELAY
    for attempt in itertools.count():
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, FREQUENT_DELAY if attempt < FREQUENT_ATTEMPTS else LONGEST_DELAY)


def _nameserver_uri(place: str) -> str:
    host, separator, port = place.rpartition(":")
    if not separator or (":" in host and not host.endswith("]")):
        host, port = place, "9090"  # no port, or an IPv6 address without one
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{place!r} is no place of a name server; write HOST or HOST:PORT", nameserver=place)
    uri = f"PYRO:{core.NAMESERVER_NAME}@{host}:{port}"
    _check_uri(uri)
    return uri


def _check_uri(uri: str) -> None:
    try:
        core.URI(uri)
    except (PyroError, ValueError) as error:
        raise ConfigurationError(f"{uri!r} is not the URI of a Pyro object: {error}", uri=uri) from None
