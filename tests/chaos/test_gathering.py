"""The files of many processes become one history."""

from __future__ import annotations

from pathlib import Path

from rmimom_chaos.gathering import gather
from rmimom_chaos.history import INFO, INVOKE, OK, Event, write_lines


def test_events_are_in_the_order_of_the_clock_that_nobody_sets(tmp_path: Path) -> None:
    early = Event(900, "a", OK, "send", value="a-1", monotonic=1)
    late = Event(100, "b", OK, "send", value="b-1", monotonic=2)
    (tmp_path / "b").write_bytes(write_lines([late]))
    (tmp_path / "a").write_bytes(write_lines([early]))
    assert gather([tmp_path / "b", tmp_path / "a"]) == [early, late]


def test_what_a_killed_process_left_open_is_known_to_nobody(tmp_path: Path) -> None:
    events = [
        Event(1, "a", INVOKE, "send", value="a-1", monotonic=1),
        Event(2, "a", OK, "send", value="a-1", monotonic=2),
        Event(3, "a", INVOKE, "commit", transaction="a:1", monotonic=3),
        Event(4, "a", INVOKE, "send", value="a-2", transaction="a:1", monotonic=4),
    ]
    file = tmp_path / "a"
    file.write_bytes(write_lines(events) + b'{"time": 5, "cut o')
    assert gather([file])[4:] == [
        Event(4, "a", INFO, "commit", transaction="a:1", monotonic=4),
        Event(4, "a", INFO, "send", value="a-2", transaction="a:1", monotonic=4),
    ]


def test_an_empty_file_is_no_events(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert gather([tmp_path / "a"]) == []
