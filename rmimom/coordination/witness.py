"""The name server as the witness of the cluster: it keeps the chain of configurations, each written once."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from Pyro5.client import Proxy
from Pyro5.core import NAMESERVER_NAME
from Pyro5.errors import NamingError, PyroError

from rmimom.cluster.configuration import Configuration, decode_chain, encode, name_prefix
from rmimom.errors import ConfigurationError, ConnectionFailedError

log = logging.getLogger(__name__)

CALL: Final = 2.0
"""Seconds that one call of the name server may take."""


class Witness:
    """Asks a name server about one cluster, in a thread of its own, one call after the other.

    A proxy is let go of after each call: a stock name server has a thread for each open one.
    """

    def __init__(self, address: tuple[str, int], cluster: str) -> None:
        host, port = address
        self._place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._cluster = cluster
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rmimom-witness")

    async def read(self) -> tuple[Configuration, ...]:
        """Every configuration of the cluster, by number.

        Raises ConnectionFailedError if the name server does not answer, ConfigurationError if it answers nonsense.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read)

    async def register(self, configuration: Configuration) -> None:
        """Register a configuration, in exactly one call.  Whether that was done only `read` can tell."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._register, configuration)

    async def remove(self, configuration: Configuration) -> None:
        """Remove the name of a configuration.  Raises ConnectionFailedError if the name server does not answer."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._remove, configuration.name)

    def close(self) -> None:
        """Ask nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> Any:
        proxy = Proxy(f"PYRO:{NAMESERVER_NAME}@{self._place}")
        proxy._pyroTimeout = CALL
        proxy._pyroMaxRetries = 0
        proxy._pyroSerializer = "serpent"
        return proxy

    def _read(self) -> tuple[Configuration, ...]:
        try:
            with self._open() as proxy:
                names = proxy.list(prefix=name_prefix(self._cluster), return_metadata=True)
        except (PyroError, OSError) as error:
            raise ConnectionFailedError(f"no name server answers at {self._place}: {error}") from error
        if not isinstance(names, dict):
            raise ConfigurationError(
                f"what answers at {self._place} is no name server: it lists a {type(names).__name__}"
            )
        return decode_chain(self._cluster, names)

    def _remove(self, name: str) -> None:
        try:
            with self._open() as proxy:
                proxy.remove(name)
        except (PyroError, OSError) as error:
            raise ConnectionFailedError(f"the name server at {self._place} does not remove {name}: {error}") from error

    def _register(self, configuration: Configuration) -> None:
        uri = configuration.address_of(configuration.active)
        try:
            with self._open() as proxy:
                proxy.register(configuration.name, uri, safe=True, metadata=sorted(encode(configuration)))
        except NamingError as error:
            log.info("configuration %d is there already: %s", configuration.number, error)
        except (PyroError, OSError) as error:
            log.warning("whether configuration %d was registered is unknown: %s", configuration.number, error)
