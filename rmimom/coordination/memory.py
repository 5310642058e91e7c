"""What a member of the cluster must remember beside the log: the configuration it holds, and what it promised."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from rmimom.cluster.configuration import Configuration
from rmimom.errors import StoreDamagedError, StoreError
from rmimom.store.trouble import is_full

log = logging.getLogger(__name__)

FILE_NAME: Final = "cluster.json"
RETRY_WHEN_FULL: Final = 0.25
"""Seconds between attempts to write down the server's place on a disk that is full."""


class ForeignDataError(StoreError):
    """The data directory cannot be used in this cluster; `path` says which one."""

    code = "foreign-data"


class Remembered(msgspec.Struct, frozen=True):
    """See `rmimom.cluster.state.State`."""

    held: Configuration | None = None
    promise: Configuration | None = None


def recall(directory: Path) -> Remembered:
    """What was remembered last; raises StoreDamagedError if it cannot be read, and OSError."""
    path = directory / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Remembered)
    except FileNotFoundError:
        return Remembered()
    except msgspec.MsgspecError as error:
        raise StoreDamagedError(
            f"{path} does not hold the server's place in its cluster: {error}; restore it, or remove the data "
            "directory and start with --standby",
            path=str(path),
        ) from error


def remember(directory: Path, what: Remembered) -> None:
    """Write it; when this returns it survives a power cut.  Raises OSError."""
    path = directory / FILE_NAME
    draft = path.with_name(FILE_NAME + ".new")
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(what)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Memory:
    """What one server remembers, in its data directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def recall(self) -> Remembered:
        """What was remembered last.  Raises StoreDamagedError, and OSError."""
        return await asyncio.to_thread(recall, self._directory)

    async def remember(self, what: Remembered) -> None:
        """Write it, as soon as there is room on the disk.  Raises OSError for any other failure."""
        waits = False
        while True:
            try:
                await asyncio.to_thread(remember, self._directory, what)
                return
            except OSError as error:
                if not is_full(error):
                    raise
                if not waits:
                    log.warning("the server's place in its cluster waits for room on disk: %s", error)
                waits = True
                await asyncio.sleep(RETRY_WHEN_FULL)

    def foreign(self, why: str) -> ForeignDataError:
        """The error that says why what is kept here is of no use in this cluster."""
        return ForeignDataError(f"{why}; the data directory is {self._directory}", path=str(self._directory))
