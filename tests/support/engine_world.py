"""An engine in a simulated world: its store, its replicas, and what it tells.

The store thread works when a test lets it, and time passes when nothing else is left to do (simulated.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from support.engines import inheritance
from support.messages import body_of, frame_for
from support.simulated import HandThread, SimulatedLoop, settle

from rmimom.commands import Command, Connect, Send
from rmimom.core.broker import Broker
from rmimom.core.state import Rules
from rmimom.destination import Queue, Topic
from rmimom.engine import Engine
from rmimom.errors import JMSError
from rmimom.frame import Delivered
from rmimom.records import Batch
from rmimom.store.memory import MemoryStore

Q = Queue("q")
T = Topic("t")


class World:
    """An engine, its store, and all that it told, in order."""

    def __init__(
        self,
        loop: SimulatedLoop,
        store: MemoryStore | None = None,
        *,
        rules: Rules | None = None,
        replicas: Sequence[Replica] = (),
        free_bytes: Callable[[], int] | None = None,
        reserve: int = 0,
    ) -> None:
        self.loop = loop
        self.log: list[str] = []
        self.store = store or MemoryStore()
        self.failures: list[BaseException] = []
        self.thread: HandThread

        self.engine = Engine(
            Broker(rules),
            self.store,
            loop,
            replication=Copies(loop, replicas) if replicas else None,
            free_bytes=free_bytes,
            reserve=reserve,
            on_failure=self.failures.append,
        )

    async def start(self, *connections: str) -> World:
        self.thread = HandThread()
        await self.engine.start(await inheritance(self.store, lambda: self.thread))
        for name in connections:
            await self.engine.submit(Connect(name, "ann"))
            self.engine.dispatch.attach(name, Sink(name, self.log))
        return self

    def ask(self, name: str, command: Command) -> asyncio.Future[object]:
        """Submit a command and write down when and how it is answered."""
        future = self.engine.submit(command)
        future.add_done_callback(lambda done: self.log.append(f"{name}: {_outcome(done)}"))
        return future

    async def told(self) -> list[str]:
        """What was told since the last look, once nothing happens any more."""
        await settle()
        log, self.log[:] = list(self.log), []
        return log


class Sink:
    """A connection that writes down what it is told."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def deliver(self, deliveries: list[Delivered]) -> None:
        self.log.append(f"{self.name} gets " + " ".join(body_of(bytes(told.frame)) for told in deliveries))

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        self.log.append(f"{self.name}/{consumer} is closed")


class Replica:
    """Another copy of the log, which gets batches when a test says so."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.store = MemoryStore()
        self.store.open()
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.confirmed = 0

    async def ship(self, batch: Batch | None) -> None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        if batch is None:
            self.confirmed += 1
        else:
            self.store.append(batch)
            self.batches.append(batch)


class Copies:
    """The replication of an engine: some replicas, which all count."""

    def __init__(self, loop: SimulatedLoop, replicas: Sequence[Replica]) -> None:
        self._loop = loop
        self._replicas = replicas
        self.stored_here: list[int] = []

    def offer(self, batch: Batch) -> asyncio.Future[None]:
        return self._ship(batch)

    def stored(self, batch: Batch) -> None:
        self.stored_here.append(batch.sequence)

    def confirm(self) -> asyncio.Future[None]:
        return self._ship(None)

    def _ship(self, batch: Batch | None) -> asyncio.Future[None]:
        async def everywhere() -> None:
            for shipping in [self._loop.create_task(replica.ship(batch)) for replica in self._replicas]:
                await shipping

        return self._loop.create_task(everywhere())


def _outcome(done: asyncio.Future[object]) -> str:
    if done.cancelled():
        return "cancelled"
    error = done.exception()
    return f"{done.result()}" if error is None else type(error).__name__


def run(scenario: Callable[[SimulatedLoop], Awaitable[None]]) -> None:
    with SimulatedLoop() as loop:
        loop.run_until_complete(scenario(loop))  # type: ignore[arg-type]


def send(connection: str, *bodies: str, destination: Queue | Topic = Q, producer: str = "", sequence: int = 0) -> Send:
    frames = [frame_for(destination, body) for body in bodies]
    return Send(connection, producer, sequence, destination, frames)
