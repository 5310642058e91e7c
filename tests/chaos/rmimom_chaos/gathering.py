"""From the files of many processes to one history that can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rmimom_chaos.history import FAIL, INFO, INVOKE, OK, Event, History, merged, read_lines


def gather(files: Iterable[Path]) -> History:
    """The events of all files in the order of time; what a process left open is `info`, for nobody knows of it."""
    histories = []
    for file in files:
        history = read_lines(file.read_bytes())
        histories.append([*history, *left_open(history)])
    return merged(histories)


def left_open(history: History) -> History:
    """An `info` at the end for each operation that was begun and never ended."""
    under_way: dict[tuple[str, ...], Event] = {}
    for event in history:
        key = (event.process, event.op, event.value, event.place, event.transaction)
        if event.type == INVOKE:
            under_way[key] = event
        elif event.type in {OK, FAIL, INFO}:
            under_way.pop(key, None)
    last = history[-1] if history else None
    return [
        Event(
            last.time,
            event.process,
            INFO,
            event.op,
            value=event.value,
            place=event.place,
            consumer=event.consumer,
            transaction=event.transaction,
            monotonic=last.monotonic,
        )
        for event in under_way.values()
        if last is not None
    ]
