"""What a store holds, in a form that can be compared, and the checker that compares it with the specification."""

from __future__ import annotations

from typing import Any

from rmimom.records import Batch, MessagesStored
from rmimom.snapshot import Snapshot
from rmimom.store.base import Store
from rmimom.store.memory import MemoryStore


def contents(store: Store) -> dict[str, Any]:
    """Everything that `load` tells."""
    return contents_of(store.load())


def contents_of(snapshot: Snapshot) -> dict[str, Any]:
    """Everything that a snapshot tells."""
    return {
        "position": snapshot.position,
        "destinations": list(snapshot.destinations()),
        "subscriptions": list(snapshot.subscriptions()),
        "producers": sorted(snapshot.producers(), key=lambda known: known.producer),
        "users": sorted(snapshot.users(), key=lambda user: user.name),
        "delivered_up_to": dict(snapshot.delivered_up_to()),
        "messages": list(snapshot.messages()),
        "deliveries": list(snapshot.deliveries()),
    }


class Checker:
    """Plays batches into a store and into the specification, and finds where they differ."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.model = MemoryStore()
        self.model.open()
        self.ids: set[int] = set()

    def append(self, batch: Batch) -> None:
        """Both take the batch."""
        self.ids.update(
            number for record in batch.records if isinstance(record, MessagesStored) for number in record.ids
        )
        self.model.append(batch)
        self.store.append(batch)

    def reopen(self) -> None:
        """Both are closed and opened again."""
        for store in (self.store, self.model):
            store.close()
            store.open()

    def check(self) -> None:
        """AssertionError if the store does not hold what it must."""
        assert contents(self.store) == contents(self.model)
        ids = [*self.ids, max(self.ids, default=0) + 1]
        assert self.store.frames(ids) == self.model.frames(ids)
        assert self.store.statistics().messages == self.model.statistics().messages
