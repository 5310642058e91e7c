"""Who logged in on a TCP connection."""

from __future__ import annotations

import msgspec

from rmimom.listeners.rmi.peer import Peer


class Login(msgspec.Struct, frozen=True):
    """A user whose password was right."""

    user: str
    administrator: bool


def login_of(peer: Peer) -> Login | None:
    """The login of a TCP connection, or None if it gave none."""
    user = peer.user
    return user if isinstance(user, Login) else None
