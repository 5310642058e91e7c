"""Where a server is, and where others are told that its HTTP interface is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmimom.config import ServerConfig
from rmimom.server.place import Place


@pytest.mark.parametrize(
    ("host", "advertise", "http", "here", "told"),
    [
        # All on one machine.
        ("127.0.0.1", "", "127.0.0.1:8161", "http://127.0.0.1:8161", "http://127.0.0.1:8161"),
        # Clients are elsewhere, and a loopback address would lead them to themselves.
        ("10.0.0.1", "", "127.0.0.1:8161", "http://127.0.0.1:8161", ""),
        ("0.0.0.0", "one.example", "127.0.0.1:8161", "http://127.0.0.1:8161", ""),
        ("127.0.0.1", "one.example", "localhost:8161", "http://localhost:8161", ""),
        # It listens where they reach it, on any port of the system's choice.
        ("10.0.0.1", "", "10.0.0.1:0", "http://10.0.0.1:4711", "http://10.0.0.1:4711"),
        ("0.0.0.0", "one.example", "0.0.0.0:0", "http://127.0.0.1:4711", "http://one.example:4711"),
        ("::1", "", "[::]:8161", "http://[::1]:8161", "http://[::1]:8161"),
        ("127.0.0.1", "", "off", "", ""),
    ],
)
def test_others_are_told_an_address_that_they_can_use(
    host: str, advertise: str, http: str, here: str, told: str
) -> None:
    config = ServerConfig(host=host, advertise=advertise, http=http, data=Path("/nowhere"))
    assert Place(config, 61611).http_for_others(here) == told
