from __future__ import annotations

import os
import shutil
import sys

import pytest

from rmimom.store.sqlite import SqliteStore

pytest.register_assert_rewrite("support.store_contract", "support.stores")


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A data directory with an empty store, to be copied: a copy is quicker than a new one."""
    made = SqliteStore(tmp_path_factory.mktemp("empty") / "data")
    made.open()
    made.close()
    return made.directory


@pytest.fixture
def directory(empty, tmp_path):
    """A data directory with an empty store."""
    return shutil.copytree(empty, tmp_path / "data")


@pytest.fixture(scope="session")
def environment():
    """The environment for a child process that imports what this one imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
