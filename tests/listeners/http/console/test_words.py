"""How pages write times, sizes and names."""

from __future__ import annotations

import pytest

from rmimom.listeners.http.console.words import count, shorten, write_duration, write_segment, write_size, write_time


def test_times() -> None:
    assert write_time(0) == "–"
    assert write_time(None) == "–"
    assert write_time(1_700_000_000_123) == (
        '<time datetime="2023-11-14T22:13:20.123Z" title="2023-11-14T22:13:20.123Z">2023-11-14 22:13:20 UTC</time>'
    )
    # What no calendar of four digits has.
    assert write_time(2**62) == f"{2**62} ms"
    assert write_time(-1) == "-1 ms"


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 2**30, "5.0 GiB"), (2**60, "1048576.0 TiB")],
)
def test_sizes(number: int | None, text: str) -> None:
    assert write_size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (86_400 * 400, "400 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text


def test_names() -> None:
    assert write_segment("a/b?c#d%2F é") == "a%2Fb%3Fc%23d%252F%20%C3%A9"
    assert shorten("x" * 80) == "x" * 80
    assert shorten("x" * 81) == "x" * 79 + "…"
    assert [count(number, "copy", "copies") for number in (0, 1, 2)] == ["0 copies", "1 copy", "2 copies"]
