"""What the server's log looks like: time, level, part of the server, text; one line each."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final, TextIO

_FORMAT: Final = "%(asctime)s %(levelname)-8s %(part)-11s %(message)s"
# A name or a text of a peer must not be able to forge a line of the log, or to speak to a terminal.
_CONTROL: Final = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160), 0x2028, 0x2029]}


class LineFormatter(logging.Formatter):
    """Formats in UTC, with milliseconds, and control characters made visible."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line without a traceback."""
        record.part = part_of(record.name)
        record.message = record.message.translate(_CONTROL)
        return super().formatMessage(record)


def part_of(name: str) -> str:
    """The part of the server that a logger speaks for: `rmi` for rmimom.listeners.rmi.connection."""
    words = name.split(".")
    if words[0] != "rmimom" or len(words) == 1:
        return words[0]
    return words[2] if words[1] == "listeners" and len(words) > 2 else words[1]


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Log to the standard error (or `stream`) from `level` on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # asyncio tells each of its steps at level info; Pyro5 tells as an error what it also raises, and we tell that.
    # The client in a server is what listens to the heart of the active one: what is heard is told by the coordinator.
    quiet = level != "debug"
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, root.level) if quiet else logging.NOTSET)
    for name in ("Pyro5", "rmimom.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL if quiet else logging.NOTSET)
    logging.captureWarnings(True)
