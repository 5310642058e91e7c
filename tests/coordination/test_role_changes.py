"""A role is changed one change after the other, in order; one that fails is told, and does not stop the next."""

from __future__ import annotations

import asyncio

from support.loops import on_loop

from rmimom.coordination.role_changes import RoleChanges
from rmimom.errors import StoreError


@on_loop
async def test_changes_are_made_in_order() -> None:
    failures: list[BaseException] = []
    made: list[str] = []
    changes = RoleChanges(failures.append)
    may_go_on = asyncio.Event()

    async def slow() -> None:
        made.append("slow begins")
        await may_go_on.wait()
        made.append("slow ends")

    async def quick() -> None:
        made.append("quick")

    changes.add(slow)
    changes.add(quick)
    waiting = asyncio.ensure_future(changes.wait_until_made())
    await asyncio.sleep(0.01)
    assert (made, waiting.done()) == (["slow begins"], False)
    may_go_on.set()
    await waiting
    assert made == ["slow begins", "slow ends", "quick"]
    assert failures == []
    changes.close()
    changes.close()
    await asyncio.sleep(0)


@on_loop
async def test_a_failure_is_told_and_the_next_change_is_made() -> None:
    failures: list[BaseException] = []
    made: list[str] = []
    changes = RoleChanges(failures.append)
    errors = [StoreError("broken"), OSError("gone"), ZeroDivisionError("a fault of ours")]

    async def fail(error: Exception) -> None:
        raise error

    async def quick() -> None:
        made.append("quick")

    for error in errors:
        changes.add(lambda e=error: fail(e))  # type: ignore[misc]
    changes.add(quick)
    await changes.wait_until_made()
    assert (failures, made) == (errors, ["quick"])
    changes.close()
    await asyncio.sleep(0)
