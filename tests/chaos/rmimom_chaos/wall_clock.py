"""A wall clock for one process that can be set while it runs, and leaves every other clock alone.  Needs a C compiler.

libfaketime does more than that: it stands in for sleeps and timers too, and makes some of them fail on a busy machine.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

VARIABLE: Final = "RMIMOM_CHAOS_CLOCK"
"""The environment variable with the file that holds how far the clock is ahead."""

SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real)(clockid_t, struct timespec *);
static volatile const int64_t *ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RMIMOM_CHAOS_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    if (file < 0) return;
    void *place = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (place != MAP_FAILED) ahead = place;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real) begin();
    int failed = real(clock, now);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    (void) zone;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    if (now) *now = precise.tv_sec;
    return precise.tv_sec;
}
"""


class WallClock:
    """The clock of one process, which must be started with `variables`; `file` is what it is set by."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        self.set(0)

    @staticmethod
    def missing() -> str:
        """Why there can be none here; empty if there can."""
        return "" if shutil.which("cc") else "setting the clock of one process needs a C compiler, and there is no cc"

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of the process must have."""
        return {"LD_PRELOAD": str(self._library), VARIABLE: str(self._file)}

    def set(self, seconds: int) -> None:
        """Let it be so many seconds ahead, from now on."""
        # Not cut off first: the process looks at it all the time.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


def build_library(directory: Path) -> Path:
    """Compile what stands between a process and its clock; raises OSError if that fails."""
    source, library = directory / "clock.c", directory / "clock.so"
    source.write_text(SOURCE, encoding="ascii")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if run.returncode:
        raise OSError(f"{' '.join(command)}: {run.stderr.strip()}")
    return library
