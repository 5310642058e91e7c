"""Lines of the log."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest

from rmimom.server.logs import configure_logging, part_of


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("asyncio", "Pyro5", "rmimom.client")}
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def logged(level: str, name: str, number: int, text: str, *values: object) -> str:
    """What one call writes."""
    stream = io.StringIO()
    configure_logging(level, stream)
    logging.getLogger(name).log(number, text, *values)
    return stream.getvalue()


def test_a_line_has_time_level_part_and_text() -> None:
    line = logged("info", "rmimom.listeners.rmi.connection", logging.WARNING, "peer %s is gone", "a")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING  rmi         peer a is gone\n", line)


def test_what_is_below_the_level_is_not_there() -> None:
    assert logged("warning", "rmimom.engine", logging.INFO, "x") == ""
    assert logged("info", "asyncio", logging.INFO, "x") == ""
    assert logged("info", "Pyro5.client", logging.ERROR, "x") == ""
    assert "asyncio" in logged("debug", "asyncio", logging.INFO, "x")
    # The client that listens to the heart of the active: its losses are told by the coordinator.
    assert logged("info", "rmimom.client", logging.ERROR, "x") == ""
    assert "client" in logged("debug", "rmimom.client", logging.DEBUG, "x")


def test_a_peer_cannot_forge_a_line_or_speak_to_the_terminal() -> None:
    line = logged("info", "rmimom.engine", logging.INFO, "user %s", "x\n2026 INFO forged \x1b[2J\u2028\x85")
    assert line.endswith("user x\\x0a2026 INFO forged \\x1b[2J\\x2028\\x85\n")
    assert line.count("\n") == 1


def test_an_error_keeps_its_traceback() -> None:
    stream = io.StringIO()
    configure_logging("info", stream)
    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("rmimom.engine").exception("outer")
    assert "outer\nTraceback" in stream.getvalue()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("rmimom.engine", "engine"),
        ("rmimom.store.sqlite", "store"),
        ("rmimom.listeners.registrar", "registrar"),
        ("rmimom.listeners.rmi.objects.factory", "rmi"),
        ("rmimom", "rmimom"),
        ("asyncio", "asyncio"),
        ("py.warnings", "py"),
    ],
)
def test_the_part_of_the_server(name: str, part: str) -> None:
    assert part_of(name) == part
