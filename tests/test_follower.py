"""The follower: the log of another server, on disk before it counts, and ready for an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.coordination import batch, follower_with, store_with
from support.loops import on_loop

from rmimom.errors import IllegalStateError, StoreDamagedError, StoreError
from rmimom.follower import Follower
from rmimom.records import Batch
from rmimom.snapshot import Position
from rmimom.store.memory import MemoryStore


class BrokenStore(MemoryStore):
    """A store that cannot write when a test says so."""

    broken = False

    def append(self, batch: Batch) -> None:
        if self.broken:
            raise StoreError("the disk is broken")
        super().append(batch)


@on_loop
async def test_batches_are_in_the_store_when_append_returns() -> None:
    follower = await follower_with(2)
    assert follower.position == Position(1, 2, 3)
    await follower.append(batch(3))
    assert follower.position == follower.store.load().position == Position(1, 3, 4)
    await follower.append(batch(4, epoch=2))
    assert follower.position == Position(2, 4, 5)
    await follower.stop()


@pytest.mark.parametrize("wrong", [batch(1), batch(2), batch(4), batch(3, epoch=0)])
def test_only_the_next_batch_is_taken(wrong: Batch) -> None:
    @on_loop
    async def check() -> None:
        follower = await follower_with(2)
        with pytest.raises(IllegalStateError, match="does not follow batch 2 of epoch 1"):
            await follower.append(wrong)
        assert follower.store.load().position == follower.position == Position(1, 2, 3)
        await follower.append(batch(3))
        await follower.stop()

    check()


@on_loop
async def test_what_the_store_refuses_is_not_here() -> None:
    store = BrokenStore()
    follower = Follower(store)
    await follower.start()
    store.broken = True
    with pytest.raises(StoreError, match="broken"):
        await follower.append(batch(1))
    assert follower.position == Position()
    store.broken = False
    await follower.append(batch(1))
    handed = await follower.hand_over()
    assert [row.id for row in handed.snapshot.destinations()] == [1]
    await handed.thread.run(store.close)
    await handed.thread.stop()


@pytest.mark.parametrize("warm", [True, False])
def test_an_engine_inherits_everything(warm: bool) -> None:
    @on_loop
    async def check() -> None:
        follower = await follower_with(2)
        if warm:
            await follower.append(batch(3))
        handed = await follower.hand_over()
        assert handed.snapshot.position.sequence == (3 if warm else 2)
        assert [row.id for row in handed.snapshot.destinations()] == ([1, 2, 3] if warm else [1, 2])
        assert handed.dropped == []
        with pytest.raises(IllegalStateError, match="not running"):
            await follower.append(batch(handed.snapshot.position.sequence + 1))
        await follower.stop()  # the store belongs to the engine
        assert follower.store.load().position.sequence == (3 if warm else 2)
        await handed.thread.run(follower.store.close)
        await handed.thread.stop()

    check()


@on_loop
async def test_a_copy_takes_the_place_of_everything(tmp_path: Path) -> None:
    store_with(7).copy_to(tmp_path / "copy")
    follower = await follower_with(2)
    await follower.append(batch(3))
    await follower.replace_by(tmp_path / "copy")
    assert follower.position == follower.store.load().position == Position(1, 7, 8)
    await follower.append(batch(8))
    handed = await follower.hand_over()
    assert [row.id for row in handed.snapshot.destinations()] == [*range(1, 9)]
    await handed.thread.run(follower.store.close)
    await handed.thread.stop()


@on_loop
async def test_a_copy_that_makes_no_sense_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"nonsense")
    follower = await follower_with(2)
    with pytest.raises(StoreDamagedError):
        await follower.replace_by(tmp_path / "copy")
    await follower.append(batch(3))
    assert follower.position == follower.store.load().position == Position(1, 3, 4)
    await follower.stop()
    await follower.stop()


@on_loop
async def test_a_follower_that_does_not_run_says_so() -> None:
    follower = Follower(MemoryStore())
    for asked in (follower.users(), follower.maintain(), follower.warm_up(), follower.hand_over()):
        with pytest.raises(IllegalStateError, match="not running"):
            await asked
