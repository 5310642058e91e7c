"""SqliteStore."""

from __future__ import annotations

import pytest
from support.store_contract import StoreContract

from rmimom.store.sqlite import SqliteStore


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        made = SqliteStore(tmp_path / "data")
        made.open()
        yield made
        made.close()

    def fill_disk(self, store):
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 10}")

    def free_disk(self, store):
        store._connection.execute("PRAGMA max_page_count = 1000000")
