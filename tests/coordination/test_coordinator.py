"""The coordinator: servers of a cluster find their roles, lose one another and come back."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.coordinated import Server, hurry, scene
from support.coordination import A, B, C, batch
from support.loops import on_loop, until

from rmimom.cluster.events import ConsentAsked
from rmimom.cluster.state import Phase
from rmimom.coordination import memory
from rmimom.coordination.link import COPY_PREFIX
from rmimom.coordination.memory import ForeignDataError, Remembered, recall, remember
from rmimom.errors import StoreError, StoreFullError
from rmimom.listeners.registrar import NamesTakenError
from rmimom.records import Batch
from rmimom.replication import NotActiveError


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@on_loop
async def test_the_first_start(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        server = await there.server(A, may_begin=True)
        await until(lambda: server.roles.changes == ["active in 1"])
        held = there.names.newest
        assert (held.number, held.members, held.epoch) == (1, (A,), 1)
        assert recall(server.directory).held == held
        assert server.coordinator.serving == held
        assert server.decide(1) is None
        reading = server.coordinator.statistics()
        assert (reading.phase, reading.position, reading.standbys) == ("active", (1, 1), [])
        assert not await server.coordinator.orders.leave()


@on_loop
async def test_a_standby_comes_into_sync_and_what_is_decided_waits_for_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        assert second.roles.changes == ["follows a in 1"]
        shipped = first.decide(1)
        assert shipped is not None
        await shipped
        assert second.has() == 1
        assert second.roles.follower.position.sequence == 1
        confirmed = first.coordinator.shipping.confirm()
        assert confirmed is not None
        await confirmed
        assert second.coordinator.required == set()


@on_loop
async def test_the_standby_takes_over_when_nothing_listens_where_the_active_was(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        await there.crash(first)
        await until(lambda: second.roles.changes[-1:] == ["active in 3"])
        held = there.names.newest
        assert (held.members, held.epoch, recall(second.directory).held) == ((B,), 3, held)
        # The old one comes back, catches up, and follows.
        again = await there.server(A)
        await until(lambda: second.members == again.members == (B, A))
        assert again.roles.changes[-1].startswith("follows b")


@on_loop
async def test_a_silent_active_releases_nothing_once_it_is_suspected(tmp_path: Path) -> None:
    """A partition in one direction: the standby hears nothing, but everything that the active ships arrives."""
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        there.names.deaf = {A}  # so that it learns nothing before the standby has taken over
        second.coordinator.suspect("it is silent")
        await until(lambda: second.coordinator.serving is not None)
        shipped = first.decide(1)
        assert shipped is not None
        await asyncio.sleep(0)
        assert not shipped.done()
        there.names.deaf = set()
        with pytest.raises(NotActiveError):
            await shipped
        await until(lambda: first.roles.changes[-2:] == ["steps down", "follows b in 3"])
        late = first.coordinator.shipping.offer(batch(2))
        assert late is not None
        with pytest.raises(NotActiveError):
            await late
        with pytest.raises(NotActiveError):
            first.coordinator.shipping.join(B, "PYRO:x@127.0.0.1:1")


@on_loop
async def test_an_active_that_is_heard_again_goes_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        there.names.deaf = {B}
        second.coordinator.suspect("it is silent")
        await until(lambda: second.coordinator.state.suspected)
        assert "name server does not answer" in second.coordinator.state.refusal or await refused(second)
        second.coordinator.heard()
        await until(lambda: not second.coordinator.state.suspected)
        there.names.deaf = set()
        shipped = first.decide(1)
        assert shipped is not None
        await shipped
        assert (first.phase, second.phase) == (Phase.ACTIVE, Phase.FOLLOWING)


async def refused(server: Server) -> bool:
    """Wait until what it wishes is refused because the name server is away."""
    await until(lambda: "name server does not answer" in server.coordinator.state.refusal)
    return True


@on_loop
async def test_a_pair_goes_on_without_the_name_server_and_when_it_forgot(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        there.names.deaf = {A, B}
        shipped = first.decide(1)
        assert shipped is not None
        await shipped
        there.names.chain.clear()
        there.names.deaf = set()
        await until(lambda: first.coordinator.state.number == second.coordinator.state.number == 3)
        await until(lambda: list(there.names.chain) == [3])
        assert there.names.newest.members == (A, B)


@on_loop
async def test_a_standby_that_is_lost_is_dropped_and_comes_back(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        there.names.deaf = {A}  # so that it cannot drop the standby before something is decided
        await there.crash(second)
        shipped = first.decide(1)
        assert shipped is not None
        await until(lambda: dict(first.coordinator.state.lost))
        assert not shipped.done()
        there.names.deaf = set()
        await shipped
        assert first.members == (A,)
        assert f"{B} dropped" in there.names.newest.why
        again = await there.server(B)
        await until(lambda: first.members == (A, B))
        assert again.has() == 1


@on_loop
async def test_a_lost_standby_is_waited_for_if_so_wished(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair(wait_for_lost=True)
        await there.crash(second)
        shipped = first.decide(1)
        assert shipped is not None
        await until(lambda: dict(first.coordinator.state.lost))
        await asyncio.sleep(0)
        assert not shipped.done()
        assert first.members == (A, B)
        await there.server(B)
        await shipped


@on_loop
async def test_a_standby_whose_disk_is_full_is_dropped_and_comes_back_when_there_is_room(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        store = second.roles.follower.store
        append = store.append

        def no_room(one: Batch) -> None:
            raise StoreFullError(f"no room for batch {one.sequence}")

        store.append = no_room  # type: ignore[method-assign]
        shipped = first.decide(1)
        assert shipped is not None
        await shipped
        assert first.members == (A,)
        assert "no room for batch 1" in there.names.newest.why
        assert second.has() == 0
        assert second.phase is Phase.FOLLOWING
        store.append = append  # type: ignore[method-assign]
        await until(lambda: first.members == second.members == (A, B))
        assert second.has() == 1


@on_loop
async def test_a_server_serves_once_its_place_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server that becomes active, while that gets on disk, then no standby joins: its log has not begun."""
    room = threading.Event()

    def slowly(directory: Path, what: Remembered) -> None:
        assert what.held is None or room.wait(60)
        remember(directory, what)

    monkeypatch.setattr(memory, "remember", slowly)
    async with scene(tmp_path) as there:
        server = await there.server(A, may_begin=True)
        try:
            await until(lambda: server.phase is Phase.ACTIVE)
            with pytest.raises(NotActiveError):
                server.coordinator.shipping.join(B, "PYRO:x@127.0.0.1:1")
        finally:
            room.set()
        await until(lambda: server.coordinator.serving is not None)
        await until(lambda: server.roles.changes == ["active in 1"])


@on_loop
async def test_who_asks_and_is_no_member_any_more_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, _ = await there.pair()
        sent: list[str] = []
        first.coordinator._messenger.send = lambda uri, news: sent.append(uri)  # type: ignore[method-assign]
        held = first.coordinator.serving
        assert held is not None
        old = replace(held, number=1, active=C, members=(C,), addresses=((C, "PYRO:x@127.0.0.1:1"),))
        await first.coordinator.learn(ConsentAsked(old, ()))
        assert sent[-1] == "PYRO:x@127.0.0.1:1"


# Trouble.


def full(times: int, number: int = errno.ENOSPC) -> Callable[[Path, Remembered], None]:
    """A `remember` for a disk that has no room for some time."""
    left = [times]

    def write(directory: Path, what: Remembered) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(number, "no room")
        remember(directory, what)

    return write


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "RETRY_WHEN_FULL", 0.01)
    monkeypatch.setattr(memory, "remember", full(3))

    @on_loop
    async def check() -> None:
        async with scene(tmp_path) as there:
            server = await there.server(A, may_begin=True)
            await until(lambda: server.roles.changes == ["active in 1"])
            assert server.roles.error is None
            assert recall(server.directory).held == there.names.newest

    check()


def test_any_other_failure_to_write_the_place_down_ends_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "remember", full(1, errno.EIO))

    @on_loop
    async def check() -> None:
        async with scene(tmp_path) as there:
            server = await there.server(A, may_begin=True)
            await until(lambda: server.roles.error)
            assert isinstance(server.roles.error, OSError)
            # It promised nothing, so it has asked for nothing.
            assert there.names.chain == {}

    check()


@on_loop
async def test_a_change_of_the_role_that_fails_ends_the_server(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        server = Server(tmp_path, A, there.names, wait_for_lost=False)
        there.servers.append(server)
        server.roles.fails = StoreError("the disk is broken")
        await server.start(may_begin=True)
        await until(lambda: server.roles.error is server.roles.fails)


@on_loop
async def test_a_second_first_server_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first = await there.server(A, may_begin=True)
        await until(lambda: first.coordinator.serving is not None)
        second = await there.server(B, may_begin=True)
        await until(lambda: second.roles.error)
        assert isinstance(second.roles.error, NamesTakenError)
        assert f"server {A} at 127.0.0.1" in str(second.roles.error)


@on_loop
async def test_data_of_another_cluster_is_refused_at_the_start_only(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with scene(tmp_path / "other") as other:
        stranger = await other.server(B, may_begin=True)
        await until(lambda: stranger.roles.changes)
        foreign = dict(other.names.chain)
        place = recall(stranger.directory)
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        # A pair that is at work waits until the name server is the right one again.
        right, there.names.chain = there.names.chain, foreign
        await until(lambda: "another cluster" in first.coordinator.state.refusal)
        assert (first.roles.error, second.roles.error) == (None, None)
        there.names.chain = right
        shipped = first.decide(1)
        assert shipped is not None
        await shipped
        await there.crash(second)
        await asyncio.to_thread(remember, second.directory, place)
        again = await there.server(B)
        await until(lambda: again.roles.error)
        assert isinstance(again.roles.error, ForeignDataError)
        assert again.roles.error.facts == {"path": str(again.directory)}


@on_loop
async def test_a_log_without_a_place_in_a_cluster_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first = await there.server(A, may_begin=True)
        await until(lambda: first.coordinator.serving is not None)
        second = Server(tmp_path, B, there.names, wait_for_lost=False)
        there.servers.append(second)
        second.roles.follower.store.open()
        second.roles.follower.store.append(batch(1))
        second.roles.follower.store.close()
        await second.start(may_begin=False)
        await until(lambda: second.roles.error)
        assert isinstance(second.roles.error, ForeignDataError)
        assert first.members == (A,)


@on_loop
async def test_copies_that_were_left_behind_are_removed(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        (tmp_path / A).mkdir()
        left_behind = tmp_path / A / f"{COPY_PREFIX}{B}-0"
        left_behind.write_bytes(b"x")
        await there.server(A, may_begin=True)
        assert not left_behind.exists()
