"""MemoryStore."""

from __future__ import annotations

import pytest
from support.store_contract import StoreContract

from rmimom.store.memory import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        made = MemoryStore()
        made.open()
        return made

    def fill_disk(self, store):
        store.capacity = store.statistics().bytes_used + 1000

    def free_disk(self, store):
        store.capacity = None
