"""DirectoryLock."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.batches import queue

from rmimom.errors import StoreInUseError
from rmimom.records import Batch
from rmimom.store.lock import DirectoryLock
from rmimom.store.sqlite import SqliteStore

HOLDER = """
import sys
from rmimom.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.open()
print("open", flush=True)
sys.stdin.read()
"""


def test_the_holder_is_named(tmp_path):
    lock, other = DirectoryLock(tmp_path / "lock"), DirectoryLock(tmp_path / "lock")
    lock.acquire()
    with pytest.raises(StoreInUseError, match=str(os.getpid())) as caught:
        other.acquire()
    assert caught.value.facts == {"path": str(tmp_path), "pid": os.getpid()}
    lock.release()
    lock.release()
    other.acquire()
    other.release()


def test_a_holder_that_has_not_signed_yet(tmp_path):
    lock = DirectoryLock(tmp_path / "lock")
    lock.acquire()
    (tmp_path / "lock").write_text("")
    with pytest.raises(StoreInUseError, match="unknown") as caught:
        DirectoryLock(tmp_path / "lock").acquire()
    assert caught.value.facts["pid"] is None
    lock.release()


def test_a_second_server_is_refused_until_the_first_is_dead(directory, environment):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert holder.stdout.readline() == "open\n"
    store = SqliteStore(directory)
    with pytest.raises(StoreInUseError, match=str(holder.pid)) as caught:
        store.open()
    assert caught.value.facts == {"path": str(directory), "pid": holder.pid}
    holder.kill()
    holder.communicate()
    store.open()
    store.append(Batch(1, 1, 2, [queue(1)]))
    store.close()
