"""The network of a simulated world: what is sent in one direction arrives in order, late, or not at all.

A direction between two places can be cut: what is under way then waits, as TCP repeats what was not confirmed, and
arrives when the cut is over, unless its connection broke meanwhile.  Places are names: those of the servers, and
`clients` and `names` for everybody else.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any, Protocol

from Pyro5.core import URI
from support.simulated_processes import Process, ProcessLoop, current_process

from rmimom.coordination.key import ClusterKey
from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError
from rmimom.listeners.rmi import call as call_module
from rmimom.listeners.rmi.call import Call
from rmimom.listeners.rmi.caller import RemoteCallError
from rmimom.listeners.rmi.peer import Peer
from rmimom.rmi.exposure import exposure_of

CLIENTS = "clients"
NAMES = "names"
_LATENCIES = (0.0001, 0.0005, 0.003)


class Host(Protocol):
    """A place where a process may run, with objects that other places may call while it does."""

    name: str
    process: Process | None
    objects: dict[str, object]


class Network:
    """See the module's text; `hosts` are the places that have objects, by name."""

    def __init__(self, loop: ProcessLoop, chance: random.Random, key: ClusterKey) -> None:
        self.loop = loop
        self.chance = chance
        self.key = key
        self.hosts: dict[str, Host] = {}
        self.connections: list[Connection] = []
        self._cut: dict[tuple[str, str], int] = defaultdict(int)
        self._held: dict[tuple[str, str], list[Callable[[], None]]] = defaultdict(list)

    def uri_for(self, host: str, object_id: str) -> str:
        """The URI of an object; ports say nothing here."""
        return f"PYRO:{object_id}@{host}:1"

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing gets through."""
        return self._cut[source, target] > 0

    def cut(self, ways: Iterable[tuple[str, str]]) -> Callable[[], None]:
        """Let nothing through on these ways; returns what ends it.  A way may be cut by several at once."""
        cut = list(ways)
        for way in cut:
            self._cut[way] += 1

        def heal() -> None:
            for way in cut:
                self._cut[way] -= 1
                if not self._cut[way]:
                    held, self._held[way] = self._held[way], []
                    for arrive in held:
                        self.loop.call_soon(arrive, context=self.loop.context)

        return heal

    def travel(self, source: str, target: str, arrive: Callable[[], None], when: float) -> None:
        """Let something arrive at a time, or when the way is free again."""

        def at_the_end() -> None:
            if self.is_cut(source, target):
                self._held[source, target].append(arrive)
            else:
                arrive()

        self.loop.call_at(when, at_the_end, context=self.loop.context)

    def tell(self, source: str, target: str, arrive: Callable[[], None]) -> None:
        """Let a single message arrive, which is lost if the way is cut."""
        if not self.is_cut(source, target):
            later = self.loop.time() + self.chance.choice(_LATENCIES)
            self.loop.call_at(later, arrive, context=self.loop.context)

    def break_connections(self, of: Process) -> None:
        """A process died: whoever can be reached notices."""
        for connection in list(self.connections):
            if of in connection.ends:
                connection.lose(of)


def both_ways(one: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """All ways between the places here and the places there."""
    there = list(others)
    return [(a, b) for here in one for other in there for a, b in permutations((here, other), 2)]


class Connection:
    """A connection of one process with another one's objects: calls go there, answers come back.

    `ends` are the processes at both of them.
    """

    def __init__(self, network: Network, caller: Process, callee: Process) -> None:
        self.network = network
        self.ends = (caller, callee)
        self.peer = Peer(_Line(self), (caller.name, 1))
        self.on_close: list[Callable[[], None]] = []
        self.failure = ""
        self._latency = network.chance.choice(_LATENCIES)
        self._last = {caller: 0.0, callee: 0.0}
        network.connections.append(self)

    def send(self, target: Process, arrive: Callable[[], None]) -> None:
        """Let something arrive at one of the ends, after all that was sent there before."""
        caller, callee = self.ends
        source = caller if target is callee else callee
        when = max(self.network.loop.time() + self._latency, self._last[target] + 1e-6)
        self._last[target] = when
        self.network.travel(source.name, target.name, lambda: target.soon(arrive), when)

    def lose(self, of: Process) -> None:
        """Break at one end, at once; the other end learns of it if the way there is free."""
        caller, callee = self.ends
        if self in self.network.connections:
            self.network.connections.remove(self)
        other = callee if of is caller else caller
        self.send(other, self._callee_notices if other is callee else lambda: self.fail("the connection was lost"))
        if of is callee:
            callee.soon(self._callee_notices)
        else:
            caller.soon(self.fail, "the connection was closed here")

    def fail(self, text: str) -> None:
        """The caller notices, or decides, that the connection is of no use any more; the first reason stays."""
        if not self.failure:
            self.failure = text
            callbacks, self.on_close = self.on_close, []
            for callback in callbacks:
                self.ends[0].soon(callback)

    def _callee_notices(self) -> None:
        if not self.peer.closed:
            self.peer.connection_lost()


class _Line:
    """What the peer of a connection needs of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def shut(self, reason: str) -> None:
        del reason
        self._connection.lose(self._connection.ends[1])


class SimulatedPeer:
    """Does what `rmimom.listeners.rmi.caller.CallbackPeer` does, without sockets."""

    def __init__(self, connection: Connection, host: Host, object_id: str) -> None:
        self._connection = connection
        self._host = host
        self._object_id = object_id
        self._busy = False
        self._answer: asyncio.Future[Any] | None = None
        connection.on_close.append(self._closed)

    @classmethod
    async def connect(
        cls,
        network: Network,
        uri: str,
        timeout: float,  # noqa: ASYNC109 - as the real one has it
        *,
        handshake: Mapping[object, object],
    ) -> SimulatedPeer:
        """See the real one."""
        asked = URI(uri)
        caller = current_process()
        assert caller is not None
        host = network.hosts[asked.host]
        made: asyncio.Future[SimulatedPeer] = network.loop.create_future()
        latency = network.chance.choice(_LATENCIES)

        def refuse(text: str) -> None:
            if not made.done():
                made.set_exception(ConnectionFailedError(f"{uri}: {text}"))

        def come_back(then: Callable[..., None], *arguments: object) -> None:
            when = network.loop.time() + latency
            network.travel(host.name, caller.name, lambda: caller.soon(then, *arguments), when)

        def arrive() -> None:
            callee = host.process
            if callee is None:
                come_back(refuse, "nothing listens there")
                return
            callee.soon(shake_hands, callee)

        def shake_hands(callee: Process) -> None:
            if asked.object not in host.objects:
                come_back(refuse, "there is no such object")
                return
            connection = Connection(network, caller, callee)
            connection.peer.object_id = asked.object
            connection.peer.user = network.key.check(handshake)
            come_back(welcome, connection)

        def welcome(connection: Connection) -> None:
            peer = cls(connection, host, asked.object)
            if made.done():
                peer.close()
            else:
                made.set_result(peer)

        network.travel(caller.name, host.name, arrive, network.loop.time() + latency)
        try:
            async with asyncio.timeout(timeout):
                return await made
        except TimeoutError:
            raise ConnectionFailedError(f"{uri} did not answer within {timeout} s", uri=uri) from None

    def on_close(self, callback: Callable[[], None]) -> None:
        """See the real one."""
        if self._connection.failure:
            callback()
        else:
            self._connection.on_close.append(callback)

    def close(self) -> None:
        """See the real one."""
        connection = self._connection
        if not connection.failure:
            connection.fail("the connection was closed here")
            connection.lose(connection.ends[0])

    def _closed(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionFailedError(self._connection.failure))

    async def call(
        self,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        annotations: Mapping[str, bytes] | None = None,
        *,
        timeout: float,  # noqa: ASYNC109 - as the real one has it
    ) -> tuple[Any, dict[str, memoryview]]:
        """See the real one."""
        assert not kwargs
        if self._busy:
            raise IllegalStateError("a call is under way already; wait for it")
        connection = self._connection
        if connection.failure:
            raise ConnectionFailedError(connection.failure)
        self._busy = True
        self._answer = answer = connection.network.loop.create_future()
        attached = {name: memoryview(bytes(data)) for name, data in (annotations or {}).items()}
        connection.send(connection.ends[1], lambda: self._serve(method, args, attached, answer))
        try:
            async with asyncio.timeout(timeout):
                return await answer, {}
        except TimeoutError:
            self.close()
            raise ConnectionFailedError(f"no answer to {method} within {timeout} s") from None
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._busy = False

    def _serve(
        self, method: str, args: Sequence[Any], annotations: dict[str, memoryview], answer: asyncio.Future[Any]
    ) -> None:
        """At the other end: run the method, and send back what comes of it."""
        connection = self._connection
        if connection.peer.closed:
            return

        def settle(result: Any, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                text = error.text if isinstance(error, JMSError) else str(error)
                answer.set_exception(RemoteCallError(type(error).__name__, text))
            else:
                answer.set_result(result)

        def send_back(result: Any, error: BaseException | None) -> None:
            if not connection.peer.closed:
                connection.send(connection.ends[0], lambda: settle(result, error))

        def done(future: asyncio.Future[Any]) -> None:
            if not future.cancelled():
                error = future.exception()
                send_back(None if error else future.result(), error)

        call = Call(connection.peer, annotations, bytes(16))
        target = self._host.objects.get(self._object_id)
        call_module.current = call
        try:
            if target is None or method not in exposure_of(target).methods:
                raise IllegalStateError(f"unknown object {self._object_id}, or it has no method {method}")
            result = getattr(target, method)(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            send_back(None, error)
            return
        finally:
            call_module.current = None
        if isinstance(result, Awaitable):
            call_module.start(call, result).add_done_callback(done)
        else:
            send_back(result, None)
