"""A small file system for the data of one server, which can be filled without harm to anybody else.  Needs root."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

SIZE: Final = "256m"
SOURCE: Final = "rmimom-chaos-"
"""With what the name of each begins; our own process's number follows."""
PIECE: Final = bytes(64 * 1024)


class SmallDisk:
    """A file system in memory at a directory that is there and empty; raises OSError if it cannot be mounted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ballast = directory / "ballast"
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", f"{SOURCE}{os.getpid()}", str(directory))

    @staticmethod
    def missing() -> str:
        """Why there can be none here; empty if there can."""
        if os.geteuid() != 0:
            return "mounting a small file system needs root"
        return "" if shutil.which("mount") else "there is no command mount"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as file:
            piece = PIECE
            while piece:
                try:
                    file.write(piece)
                except OSError:
                    piece = piece[: len(piece) // 2]

    def make_room(self) -> None:
        """Undo that; harmless if it was not filled."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Take it away, with all that is on it."""
        _run("umount", "-l", str(self._directory))


def sweep() -> None:
    """Take away the file systems of harnesses that are not there any more."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        source, directory, *_ = line.split(" ")
        found = re.fullmatch(rf"{SOURCE}(\d+)", source)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            with contextlib.suppress(OSError):  # another harness sweeps as well
                _run("umount", "-l", directory)


def _run(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    if run.returncode:
        raise OSError(f"{' '.join(command)}: {run.stderr.strip()}")
