"""The name server as the witness of the cluster: it keeps the chain of configurations, each written once.

It is called as callback objects are: one connection for each call, for a stock name server has a thread for each open
one; a time limit for the whole call, however slowly an answer comes; and no more of an answer than a chain may have.
"""

from __future__ import annotations

import logging
from typing import Final

from Pyro5.core import NAMESERVER_NAME

from rmimom.cluster.configuration import Configuration, decode_chain, encode, name_prefix
from rmimom.errors import ConfigurationError, ConnectionFailedError
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError

log = logging.getLogger(__name__)

CALL: Final = 2.0
"""Seconds that one call of the name server may take, and as many to connect."""
LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of the longest list that is read; the chain that is kept has some 25 KB."""


class Witness:
    """Asks a name server about one cluster."""

    def __init__(self, address: tuple[str, int], cluster: str) -> None:
        host, port = address
        self._place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._cluster = cluster

    async def read(self) -> tuple[Configuration, ...]:
        """Every configuration of the cluster, by number.

        Raises ConnectionFailedError if the name server does not answer, ConfigurationError if it answers nonsense.
        """
        try:
            names = await self._call("list", prefix=name_prefix(self._cluster), return_metadata=True)
        except RemoteCallError as error:
            raise ConfigurationError(f"what answers at {self._place} is no name server: {error}") from error
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names):
            raise ConfigurationError(
                f"what answers at {self._place} is no name server: it lists a {type(names).__name__}"
            )
        return decode_chain(self._cluster, names)

    async def register(self, configuration: Configuration) -> None:
        """Register a configuration, in exactly one call.  Whether that was done only `read` can tell."""
        uri = configuration.address_of(configuration.active)
        try:
            await self._call("register", configuration.name, uri, safe=True, metadata=sorted(encode(configuration)))
        except RemoteCallError as error:
            log.info("configuration %d is not registered: %s", configuration.number, error)
        except ConnectionFailedError as error:
            log.warning("whether configuration %d was registered is unknown: %s", configuration.number, error)

    async def remove(self, configuration: Configuration) -> None:
        """Remove the name of a configuration.  Raises ConnectionFailedError if the name server does not answer."""
        try:
            await self._call("remove", configuration.name)
        except RemoteCallError as error:
            log.info("configuration %d is not removed: %s", configuration.number, error)

    async def _call(self, method: str, *arguments: object, **named: object) -> object:
        """One call on a connection of its own; it arrives at most once."""
        peer: CallbackPeer | None = None
        try:
            peer = await CallbackPeer.connect(
                f"PYRO:{NAMESERVER_NAME}@{self._place}", CALL, answer_limit=LARGEST_ANSWER
            )
            answer, _ = await peer.call(method, arguments, named, timeout=CALL)
            return answer
        except ConnectionFailedError as error:
            raise ConnectionFailedError(f"no name server answers at {self._place}: {error.text}") from error
        finally:
            if peer is not None:
                peer.close()
