"""The store alone: append of batches with removal, single commits, commits beside a busy thread, reading, restart.

python -m bench.store [--messages N] [--backlog N] [--json]
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import deque

from bench.baseline import BODY, raw_rate
from bench.report import Figure, report
from rmimom.frame import PERSISTENT, TEXT, Frame, decode_head, encode
from rmimom.records import (
    Batch,
    DestinationCreated,
    MailboxAdvanced,
    MessagesDropped,
    MessagesRemoved,
    MessagesStored,
    ProducerAdvanced,
    Record,
)
from rmimom.store.sqlite import SqliteStore

_QUEUE = 1
_NOW = 1_700_000_000_000
_PROPERTIES = b'{"magnitude": 5.1}'
_LAG = 2
"""A message is acknowledged so many batches after it was sent."""


def _batches(messages: int, each: int, consumed: bool = True, first: int = 2, sequence: int = 1) -> list[Batch]:
    """What the core writes for a queue whose producer and consumer keep pace; ids follow each other from `first`."""
    body = os.urandom(BODY)
    found: list[Batch] = []
    sent: deque[list[int]] = deque()
    for start in range(first, first + messages, each):
        ids = list(range(start, start + each))
        frames = [
            encode(
                Frame(
                    TEXT, PERSISTENT, 4, _NOW + number, 0, 0, "queue://bench", f"ID:0123456789abcdef-{number}",
                    len(_PROPERTIES), BODY, None, None, None, _PROPERTIES, body,
                )
            )
            for number in ids
        ]  # fmt: skip
        records: list[Record] = [
            MessagesStored(_QUEUE, [_QUEUE], ids, [decode_head(frame) for frame in frames], frames),
            ProducerAdvanced("0123456789abcdef", ids[-1], _NOW + start),
        ]
        if consumed:
            records.append(MailboxAdvanced(_QUEUE, ids[-1]))
            sent.append(ids)
            if len(sent) > _LAG:
                gone = sent.popleft()
                records += [MessagesRemoved(_QUEUE, gone), MessagesDropped(gone)]
        found.append(Batch(1, sequence + len(found) + 1, ids[-1] + 1, records))
    return found


def _opened(directory: str) -> SqliteStore:
    store = SqliteStore(directory)
    store.open()
    store.append(Batch(1, 1, 2, [DestinationCreated(_QUEUE, "queue", "bench", _NOW)]))
    return store


def _append(messages: int, each: int) -> tuple[float, float]:
    """Messages a second, and microseconds of processor time for each."""
    with tempfile.TemporaryDirectory(prefix="rmimom-bench-") as directory:
        store = _opened(directory)
        batches = _batches(messages, each)
        began, worked = time.perf_counter(), time.thread_time()
        for batch in batches:
            store.append(batch)
        worked, took = time.thread_time() - worked, time.perf_counter() - began
        store.close()
    return messages / took, worked / messages * 1e6


def _append_beside_busy_thread(messages: int, each: int) -> float:
    """Milliseconds a commit takes while another thread never lets go of the interpreter by itself."""
    done = threading.Event()

    def spin() -> None:
        while not done.is_set():
            pass

    with tempfile.TemporaryDirectory(prefix="rmimom-bench-") as directory:
        store = _opened(directory)
        batches = _batches(messages, each)
        spinner = threading.Thread(target=spin)
        spinner.start()
        began = time.perf_counter()
        for batch in batches:
            store.append(batch)
        took = time.perf_counter() - began
        done.set()
        spinner.join()
        store.close()
    return took / len(batches) * 1e3


def _read(backlog: int) -> list[Figure]:
    """A backlog: opened, loaded, and its frames read in order, a hundred at a time."""
    with tempfile.TemporaryDirectory(prefix="rmimom-bench-") as directory:
        store = _opened(directory)
        done = 1
        for start in range(2, backlog + 2, 10_000):
            for batch in _batches(10_000, 200, consumed=False, first=start, sequence=done):
                store.append(batch)
                done = batch.sequence
        store.close()
        began = time.perf_counter()
        store.open()
        opened = time.perf_counter()
        snapshot = store.load()
        rows = sum(1 for _ in snapshot.messages()) + sum(1 for _ in snapshot.deliveries())
        loaded = time.perf_counter()
        assert rows == 2 * backlog, rows
        for start in range(2, backlog + 2, 100):
            assert len(store.frames(range(start, start + 100))) == 100
        read = time.perf_counter()
        store.close()
    return [
        Figure(f"open with {backlog:,} messages waiting", (opened - began) * 1e3, "ms"),
        Figure(f"load of {backlog:,} messages", (loaded - opened) * 1e3, "ms"),
        Figure("frames in order, 100 a call", backlog / (read - loaded), "messages/s"),
    ]


def measure(messages: int, backlog: int) -> list[Figure]:
    """Rates against SQLite alone; processor time a message."""
    figures: list[Figure] = []
    # The yardstick before and after, for a shared machine is not equally fast all the time.
    before = raw_rate(messages, 100)
    hundred, worked_100 = _append(messages, 100)
    quarter, worked_250 = _append(messages, 250)
    raw = (before + raw_rate(messages, 100)) / 2
    singles = max(messages // 20, 100)
    before = raw_rate(singles, 1)
    single, worked_1 = _append(singles, 1)
    raw_single = (before + raw_rate(singles, 1)) / 2
    figures += [
        Figure("raw SQLite, executemany, 100 a transaction", raw, "messages/s"),
        Figure("store and remove, batches of 100", hundred, "messages/s", hundred / raw, "raw SQLite, 100 a commit"),
        Figure("  processor time", worked_100, "us a message", aim=8),
        Figure("store and remove, batches of 250", quarter, "messages/s", quarter / raw, "raw SQLite, 100 a commit"),
        Figure("  processor time", worked_250, "us a message", aim=8),
        Figure("raw SQLite, one row a transaction", raw_single, "messages/s"),
        Figure(
            "store and remove, one message a batch", single, "messages/s", single / raw_single, "raw SQLite, single"
        ),
        Figure("  processor time", worked_1, "us a message"),
        Figure("commit of 100 beside a busy thread", _append_beside_busy_thread(10_000, 100), "ms"),
    ]
    return figures + _read(backlog)


if __name__ == "__main__":
    report(__doc__, measure, messages=50_000, backlog=200_000)
