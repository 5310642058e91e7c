from __future__ import annotations

import pytest

pytest.register_assert_rewrite("support.store_contract", "support.stores")


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A data directory with an empty store, to be copied: a copy is quicker than a new one."""
    from rmimom.store.sqlite import SqliteStore

    made = SqliteStore(tmp_path_factory.mktemp("empty") / "data")
    made.open()
    made.close()
    return made.directory


@pytest.fixture
def directory(empty, tmp_path):
    """A data directory with an empty store."""
    import shutil

    return shutil.copytree(empty, tmp_path / "data")
