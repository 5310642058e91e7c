"""A standby subscribes, and again whenever the connection is lost; it tells when the active is not there any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.coordination import A, B, make_key, served
from support.loops import on_loop, until

from rmimom.coordination import following as module
from rmimom.coordination.following import Following
from rmimom.coordination.key import ClusterKey
from rmimom.coordination.topic import COORDINATION_TOPIC, CoordinationTopic
from rmimom.destination import Topic
from rmimom.replication import NotActiveError

NAME = Topic(COORDINATION_TOPIC).registered_name
OURS = f"PYRO:rmimom.server.{B}@127.0.0.1:1"


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.05)


class Subscribers:
    """An active that writes down who subscribes; or one that is not active."""

    def __init__(self) -> None:
        self.joined: list[tuple[str, str]] = []
        self.refuses = 0

    def join(self, server: str, uri: str) -> None:
        if self.refuses:
            self.refuses -= 1
            raise NotActiveError("not active")
        self.joined.append((server, uri))

    def leave(self, server: str) -> bool:
        return False


class Standby:
    """The following of server B, and what it told."""

    def __init__(self, place: str, key: ClusterKey, time_limit: float = 10.0) -> None:
        self.told: list[str] = []
        active = f"PYRO:rmimom.server.{A}@{place}"
        self.is_served = True
        self.looks = 0
        self.following = Following(active, B, OURS, key.handshake(B), self.told.append, self._look, time_limit)

    def _look(self) -> bool:
        self.looks += 1
        return self.is_served


@asynccontextmanager
async def stopped(standby: Standby) -> AsyncIterator[Standby]:
    try:
        yield standby
    finally:
        standby.following.stop()
        standby.following.stop()
        await asyncio.gather(standby.following._task, return_exceptions=True)


@on_loop
async def test_it_subscribes_once_and_again_when_it_is_told_to(tmp_path: Path) -> None:
    key, subscribers = make_key(tmp_path), Subscribers()
    async with served({NAME: CoordinationTopic(subscribers)}, key) as place, stopped(Standby(place, key)) as standby:
        await until(lambda: subscribers.joined == [(B, OURS)])
        standby.following.subscribe_again()
        await until(lambda: subscribers.joined == [(B, OURS)] * 2)
        assert standby.told == []


@on_loop
async def test_it_subscribes_again_if_nothing_comes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The active may hear it, and not be able to call it: a network can be cut in one direction."""
    monkeypatch.setattr(module, "UNSERVED", 0.02)
    key, subscribers = make_key(tmp_path), Subscribers()
    async with served({NAME: CoordinationTopic(subscribers)}, key) as place, stopped(Standby(place, key)) as standby:
        standby.is_served = False
        await until(lambda: len(subscribers.joined) >= 3)
        standby.is_served = True
        before = standby.following._unserved
        assert before > module.UNSERVED
        await until(lambda: standby.following._unserved == module.UNSERVED)
        assert standby.told == []


@on_loop
async def test_a_refusal_is_no_reason_to_suspect_and_is_asked_again(tmp_path: Path) -> None:
    """The new active may not be ready yet."""
    key, subscribers = make_key(tmp_path), Subscribers()
    subscribers.refuses = 3
    async with served({NAME: CoordinationTopic(subscribers)}, key) as place, stopped(Standby(place, key)) as standby:
        await until(lambda: subscribers.joined)
        assert standby.told == []


@on_loop
async def test_whoever_was_known_and_is_gone_is_told_each_time(tmp_path: Path) -> None:
    key, subscribers = make_key(tmp_path), Subscribers()
    async with served({NAME: CoordinationTopic(subscribers)}, key) as place:
        standby = Standby(place, key)
        await until(lambda: subscribers.joined)
    async with stopped(standby):
        await until(lambda: len(standby.told) >= 2)
        assert all("cannot be reached any more" in why for why in standby.told)


@pytest.mark.parametrize("turns", range(6))
@on_loop
async def test_it_stops_though_it_has_to_subscribe_again_just_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    """In a stop the active closes the connection, and some turns of the loop later this server follows nobody."""
    monkeypatch.setattr(module, "UNSERVED", 0.2)
    key = make_key(tmp_path)
    async with served({NAME: CoordinationTopic(Subscribers())}, key) as place:
        standby = Standby(place, key)
        await until(lambda: standby.looks)  # it waits
        standby.following.subscribe_again()
        for _ in range(turns):
            await asyncio.sleep(0)
        standby.following.stop()
        await asyncio.wait([standby.following._task], timeout=10)
        assert standby.following._task.cancelled()


@on_loop
async def test_whoever_was_never_there_is_not_suspected(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    async with served({}, key) as place:
        pass
    async with stopped(Standby(place, key)) as standby:
        await asyncio.sleep(0.2)
        assert standby.told == []
