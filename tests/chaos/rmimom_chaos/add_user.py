"""Adds a user to the server of a data directory: `python -m rmimom_chaos.add_user`, started where it can be reached.

`rmimom-admin user add` does the same, but gives up when a busy machine takes too long.
"""

from __future__ import annotations

import sys
from pathlib import Path

import Pyro5.api

from rmimom.admin_token import read_token
from rmimom_chaos.process import TIME_LIMIT


def main(data: str, name: str) -> None:
    """The password is the first line of the standard input."""
    token = read_token(Path(data))
    assert token is not None, f"no server runs on {data}"
    with Pyro5.api.Proxy(token.uri) as proxy:
        proxy._pyroTimeout = TIME_LIMIT
        proxy._pyroHandshake = {"user": token.user, "password": token.password}
        proxy.put_user(name, sys.stdin.readline().strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
