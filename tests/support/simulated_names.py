"""A name server of a simulated world, as the witness of a cluster: it is away, answers late, loses replies, forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from support.simulated_network import NAMES, Network
from support.simulated_processes import current_process

from rmimom.cluster.configuration import Configuration, decode_chain, encode
from rmimom.coordination.witness import CALL
from rmimom.errors import ConnectionFailedError

T = TypeVar("T")

_LATENCIES = (0.0005, 0.002, 0.02)


class NameServer:
    """The names of one cluster, each written once, as long as they are not forgotten."""

    def __init__(self, network: Network, cluster: str) -> None:
        self.network = network
        self.cluster = cluster
        self.away = False
        self.loses_replies = 0.0
        """How often, of the times that it is asked."""
        self.late = 0.0
        """Seconds by which every answer may be late."""
        self.names: dict[str, tuple[str, set[str]]] = {}

    def forget(self) -> None:
        """Lose the memory."""
        self.names.clear()

    def register(self, configuration: Configuration) -> None:
        """Write a name, if it is free."""
        uri = configuration.address_of(configuration.active)
        self.names.setdefault(configuration.name, (uri, encode(configuration)))

    def remove(self, configuration: Configuration) -> None:
        """Let a name be free again."""
        self.names.pop(configuration.name, None)

    def chain(self) -> tuple[Configuration, ...]:
        """Everything that is remembered, by number."""
        return decode_chain(self.cluster, dict(self.names))


class SimulatedWitness:
    """Does what `rmimom.coordination.witness.Witness` does: one call after the other, each with a time limit."""

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._lock = asyncio.Lock()

    async def read(self) -> tuple[Configuration, ...]:
        """See the real one."""
        return await self._ask(self._server.chain)

    async def register(self, configuration: Configuration) -> None:
        """See the real one."""
        try:
            await self._ask(lambda: self._server.register(configuration))
        except ConnectionFailedError:
            pass  # whether it was registered is unknown

    async def remove(self, configuration: Configuration) -> None:
        """See the real one."""
        await self._ask(lambda: self._server.remove(configuration))

    def close(self) -> None:
        """See the real one."""

    async def _ask(self, what: Callable[[], T]) -> T:
        async with self._lock:
            try:
                async with asyncio.timeout(CALL):
                    return await self._begin(what)
            except TimeoutError:
                raise ConnectionFailedError("no name server answers") from None

    def _begin(self, what: Callable[[], T]) -> asyncio.Future[T]:
        """Send the question; what was sent arrives once, also if nobody waits for the answer any more."""
        server, network, process = self._server, self._server.network, current_process()
        assert process is not None
        answer: asyncio.Future[T] = network.loop.create_future()
        chance = network.chance

        def refuse() -> None:
            if not answer.done():
                answer.set_exception(ConnectionFailedError("nothing listens there"))

        def settle(result: T) -> None:
            if not answer.done():
                answer.set_result(result)

        def send_back(then: Callable[..., None], *arguments: object) -> None:
            when = network.loop.time() + chance.choice(_LATENCIES) + chance.uniform(0.0, server.late)
            network.travel(NAMES, process.name, lambda: process.soon(then, *arguments), when)

        def arrive() -> None:
            if server.away:
                send_back(refuse)
                return
            result = what()
            if chance.random() >= server.loses_replies:
                send_back(settle, result)

        when = network.loop.time() + chance.choice(_LATENCIES) + chance.uniform(0.0, server.late)
        network.travel(process.name, NAMES, arrive, when)
        return answer
