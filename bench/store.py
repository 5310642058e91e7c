"""The store alone: append of batches with removal, single commits, commits beside a busy thread, reading, restart.

python -m bench.store [--messages N] [--rounds N] [--backlog N] [--json]
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


def measure(messages: int, rounds: int, backlog: int) -> list[Figure]:
    """Rates against SQLite alone, processor time a message.

    The yardstick and the store take turns and the best round of each counts: on a shared machine noise only adds.
    """
    singles = max(messages // 20, 100)
    raw: list[float] = []
    raw_single: list[float] = []
    found: dict[int, list[tuple[float, float]]] = {100: [], 250: [], 1: []}
    for _ in range(rounds):
        raw.append(raw_rate(messages, 100))
        for each in (100, 250):
            found[each].append(_append(messages, each))
        raw_single.append(raw_rate(singles, 1))
        found[1].append(_append(singles, 1))
    figures = [
        Figure("raw SQLite, executemany, 100 a transaction", max(raw), "messages/s"),
        Figure("raw SQLite, one row a transaction", max(raw_single), "messages/s"),
    ]
    for each, baseline, name, aim in (
        (100, max(raw), "raw SQLite, 100 a commit", 8.0),
        (250, max(raw), "raw SQLite, 100 a commit", 8.0),
        (1, max(raw_single), "raw SQLite, 1 a commit", None),
    ):
        rate = max(rate for rate, _ in found[each])
        worked = min(worked for _, worked in found[each])
        figures.append(Figure(f"store and remove, batches of {each}", rate, "messages/s", rate / baseline, name))
        figures.append(Figure(f"  processor time, batches of {each}", worked, "us a message", aim=aim))
    busy = min(_append_beside_busy_thread(2_000, 100) for _ in range(rounds))
    figures.append(Figure("commit of 100 beside a busy thread", busy, "ms"))
    return figures + _read(backlog)


if __name__ == "__main__":
    report(__doc__, measure, messages=10_000, rounds=5, backlog=200_000)
