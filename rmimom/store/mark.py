"""A second witness of what was committed.

SQLite takes a write-ahead log that is cut short, damaged or missing for one that was never written, and opens the
database as it was before: commits that were acknowledged are gone without a word.  So the sequence of each batch is
also written here, after its commit.  The file is not synced: it survives the process, which is enough to tell a lost
log from a killed server, and after a power cut it is at worst too old, which proves nothing and is passed over.
"""

from __future__ import annotations

import os
from pathlib import Path

_WIDTH = 20


class Mark:
    """The sequence of the last batch committed, in a file of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def read(self) -> int:
        """The sequence last written; 0 if there is none to be read."""
        try:
            text = self.path.read_bytes().strip()
        except FileNotFoundError:
            return 0
        return int(text) if text.isdigit() else 0

    def open(self) -> None:
        """Get ready to write; raises OSError."""
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, sequence: int) -> None:
        """Note that this batch is committed."""
        if self._file is not None:
            try:
                os.pwrite(self._file, b"%0*d\n" % (_WIDTH, sequence), 0)
            except OSError:
                # The batch is committed, and only that matters; an old mark claims less than is true.
                pass

    def close(self) -> None:
        """Let go of the file; twice is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
