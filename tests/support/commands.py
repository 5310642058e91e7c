"""Commands of ours that end by themselves, run as processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from support.processes import TIME_LIMIT, clean_environment


def run_command(
    module: str, *arguments: object, home: Path, text: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in `module` with these arguments, and `text` on its standard input."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
        env=clean_environment(home, **variables),
    )


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
