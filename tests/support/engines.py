"""How an engine of a test begins."""

from __future__ import annotations

from collections.abc import Callable

from rmimom.follower import Follower, Inheritance
from rmimom.store.base import Store
from rmimom.store.thread import StoreThread


async def inheritance(store: Store, thread: Callable[[], StoreThread] = StoreThread) -> Inheritance:
    """What an engine starts with on a store that nobody has opened."""
    follower = Follower(store, thread)
    await follower.start()
    return await follower.hand_over()
