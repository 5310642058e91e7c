"""The file by which the administration tool on the same machine finds the server and is let in.

It lies in the server's data directory and only the server's own account can read it.  It is written anew at every
start, with a new password, and taken away at the stop.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

FILE_NAME: Final = "admin-token"
LOCAL_USER: Final = "@local"
"""The name that goes with the password in the file.  No user can have it."""


class Token(msgspec.Struct, frozen=True):
    """What the file holds: the URI of the server's administration object, and how to log in there.

    `http` is the beginning of the URLs of its HTTP interface, where the same login holds; empty if it has none.
    """

    uri: str
    user: str
    password: str
    http: str = ""

    def __repr__(self) -> str:
        # A password has no place in a traceback or a log.
        return f"Token({self.uri!r}, {self.user!r}, ...)"


def write_token(directory: Path, token: Token) -> None:
    """Put the token into the data directory, readable for its owner alone.  Raises OSError."""
    path = directory / FILE_NAME
    draft = path.with_name(FILE_NAME + ".new")
    draft.unlink(missing_ok=True)
    # Made with its mode, so that there is no moment in which others could open it.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(token)) + b"\n")
    draft.replace(path)


def read_token(directory: Path) -> Token | None:
    """The token in a data directory, or None if there is none that can be read by us."""
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=Token)
    except (OSError, msgspec.MsgspecError):
        return None


def remove_token(directory: Path) -> None:
    """Take the token away.  Harmless if there is none.  Raises OSError."""
    (directory / FILE_NAME).unlink(missing_ok=True)
