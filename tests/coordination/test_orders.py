"""Orders to a server in a cluster: to hand over, to leave, to become active."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.coordinated import hurry, scene
from support.coordination import A, B
from support.loops import on_loop, until

from rmimom.cluster.events import HandOver, Lost
from rmimom.coordination import orders
from rmimom.errors import IllegalStateError


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@on_loop
async def test_a_switchover(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        shipped = first.decide(1)
        assert shipped is not None
        await shipped
        assert first.coordinator.orders.heirs == [B]
        await first.coordinator.orders.hand_over(B)
        await until(lambda: second.roles.changes[-1:] == ["active in 3"])
        await until(lambda: first.roles.changes[-2:] == ["steps down", "follows b in 3"])
        await until(lambda: [link.phase for link in second.coordinator.statistics().standbys] == ["in step"])
        held = there.names.newest
        assert (held.members, held.began, held.why) == ((B, A), (1, 1), f"handed over by {A}")
        assert (first.coordinator.orders.heirs, second.coordinator.orders.heirs) == ([], [A])
        with pytest.raises(IllegalStateError, match="only the active"):
            await first.coordinator.orders.hand_over(B)


@on_loop
async def test_a_switchover_that_cannot_be_is_refused_and_all_goes_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, _ = await there.pair()
        with pytest.raises(IllegalStateError, match="in sync"):
            await first.coordinator.orders.hand_over("c" * 16)
        there.names.deaf = {A}
        with pytest.raises(IllegalStateError, match="did not happen"):
            await first.coordinator.orders.hand_over(B)
        assert first.roles.resumed == 1
        shipped = first.decide(1)
        assert shipped is not None
        await shipped


@on_loop
async def test_a_switchover_to_a_standby_that_has_a_copy_and_nothing_since(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first = await there.server(A, may_begin=True)
        await until(lambda: first.coordinator.serving is not None)
        assert first.decide(1) is None
        second = await there.server(B)
        await until(lambda: first.members == second.members == (A, B))
        await first.coordinator.orders.hand_over(B)
        await until(lambda: second.roles.changes[-1:] == ["active in 3"])


@on_loop
async def test_a_switchover_that_is_given_up_at_once_stops_nothing(tmp_path: Path) -> None:
    """Given a server that slept, when it hears at once of the order and of the loss of the heir, then it goes on."""
    async with scene(tmp_path) as there:
        first, _ = await there.pair()
        first.coordinator.post(HandOver(B))
        first.coordinator.post(Lost(B, "it is tested"))
        await until(lambda: first.members == (A,))
        assert (first.roles.stopped, first.roles.resumed) == (0, 1)


@on_loop
async def test_who_leaves_hands_over_and_does_not_follow(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        assert await first.coordinator.orders.leave()
        # The heir knows when it returns, and this server has stepped down.
        assert second.coordinator.state.number == 3
        assert first.roles.changes[-1] == "steps down"
        assert there.names.newest.members == (B,)


@on_loop
async def test_who_leaves_tries_again_while_something_else_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "AGAIN", 0.01)
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        there.names.deaf = {A}
        leaving = asyncio.get_running_loop().create_task(first.coordinator.orders.leave())
        await until(lambda: first.roles.resumed >= 2)
        there.names.deaf = set()
        assert await leaving
        await until(lambda: second.coordinator.serving is not None)


@on_loop
async def test_an_operator_may_force(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        first, second = await there.pair()
        with pytest.raises(IllegalStateError, match="active already"):
            await first.coordinator.orders.force()
        await second.coordinator.orders.force()
        assert there.names.newest.forced
        assert second.coordinator.serving == there.names.newest
        await until(lambda: "steps down" in first.roles.changes)
