"""A process whose wall clock is set while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmimom_chaos.wall_clock import WallClock, build_library

MISSING = WallClock.missing()

TELL = """
import sys, time
for _ in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_only_the_wall_clock_of_one_process_jumps(tmp_path: Path) -> None:
    clock = WallClock(build_library(tmp_path), tmp_path / "ahead")
    with subprocess.Popen(
        [sys.executable, "-c", TELL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **clock.variables},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for ahead in (0, 3, -3600, 0):
            clock.set(ahead)
            before = time.time(), time.monotonic()
            process.stdin.write("\n")
            process.stdin.flush()
            wall, monotonic = map(float, process.stdout.readline().split())
            after = time.time(), time.monotonic()
            assert before[0] + ahead <= wall <= after[0] + ahead
            assert before[1] <= monotonic <= after[1]
        process.stdin.close()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert WallClock.missing() == "setting the clock of one process needs a C compiler, and there is no cc"
