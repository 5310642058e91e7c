"""Servers of a cluster that are not there: configurations, batches, and objects behind a real RMI listener."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from support.batches import queue

from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.events import Event
from rmimom.coordination.key import ClusterKey
from rmimom.follower import Follower
from rmimom.listeners.rmi.listener import RmiListener
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.records import Batch
from rmimom.store.memory import MemoryStore

A, B, C = "a" * 16, "b" * 16, "c" * 16
"""Ids of servers; A is the active one."""


def configuration(number: int = 1, active: str = A, *standbys: str, **fields: object) -> Configuration:
    """A configuration of the cluster `test` in its first epoch."""
    members = (active, *standbys)
    given: dict[str, object] = {
        "cluster": "test",
        "chain": "0123abcd",
        "number": number,
        "active": active,
        "members": members,
        "epoch": 1,
        "began": NOWHERE,
        "why": "it is tested",
        "addresses": tuple((server, f"PYRO:rmimom.server.{server}@127.0.0.1:1") for server in sorted(members)),
        "seal": "5ea15ea1",
        **fields,
    }
    return Configuration(**given)  # type: ignore[arg-type]  # the fields of a test are right, or it fails


def batch(sequence: int, epoch: int = 1) -> Batch:
    """A batch that creates a queue, whose number is that of the batch."""
    return Batch(epoch, sequence, sequence + 1, [queue(sequence)])


def store_with(batches: int) -> MemoryStore:
    """An open store that holds so many batches."""
    store = MemoryStore()
    store.open()
    for sequence in range(1, batches + 1):
        store.append(batch(sequence))
    return store


async def follower_with(batches: int) -> Follower:
    """A started follower whose store holds so many batches."""
    store = store_with(batches)
    store.close()
    follower = Follower(store)
    await follower.start()
    return follower


class Coordination:
    """What the object of a standby asks for: it follows A, and writes down what it learns."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.follows = A
        self.learnt: list[Event] = []
        self.acknowledged: list[LogPosition] = []
        self.corrected: list[str] = []
        self.lost = 0
        self.refusal: Exception | None = None
        self.given_up: BaseException | None = None

    async def learn(self, event: Event) -> None:
        self.learnt.append(event)

    async def acknowledgement(self, position: LogPosition) -> None:
        if self.refusal is not None:
            raise self.refusal
        there = self.follower.store.load().position
        assert (there.epoch, there.sequence) == position, "acknowledged before the store had it"
        self.acknowledged.append(position)

    def correct(self, server: str) -> None:
        self.corrected.append(server)

    def give_up(self, error: BaseException) -> None:
        self.given_up = error

    def link_lost(self) -> None:
        self.lost += 1


@asynccontextmanager
async def served(objects: Mapping[str, object], key: ClusterKey) -> AsyncIterator[str]:
    """Objects behind a listener that lets in servers with the key, and others as nobody; `host:port` of it."""

    def authenticate(peer: Peer, handshake: object) -> object:
        return key.check(handshake) if isinstance(handshake, Mapping) else None

    registry = ObjectRegistry()
    for object_id, thing in objects.items():
        registry.register(object_id, thing)
    listener = RmiListener(registry, authenticate=authenticate)
    await listener.start()
    try:
        yield f"127.0.0.1:{listener.port}"
    finally:
        await listener.stop()


def make_key(directory: Path) -> ClusterKey:
    """The key of the test's cluster."""
    return ClusterKey(directory / "cluster-key")
