"""Passwords: how they are kept, and how one is checked.

Kept is scrypt of the password, which costs an attacker who has stolen the data as much for each guess as it costs us
for each login.  The first three bytes of a salt say how much: log2 of scrypt's n, then r, then p.  So the cost can be
raised one day without asking anybody for a new password.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

import msgspec

from rmimom.errors import JMSSecurityError

LONGEST: Final = 1024
"""Characters of a password: more than anybody needs, and a bound for what a stranger can make us read."""
_DIGEST_SIZE: Final = 32
_RANDOM_SALT: Final = 16
_MOST_MEMORY: Final = 64 * 1024 * 1024


class Cost(NamedTuple):
    """Parameters of scrypt: it takes 128 * 2**log_n * r bytes of memory, and p times as long."""

    log_n: int
    r: int
    p: int


CHOSEN: Final = Cost(14, 8, 5)
"""For passwords that people choose: 16 MiB and some tenths of a second, as OWASP advises."""
GENERATED: Final = Cost(10, 8, 1)
"""For passwords of `generate_password`: nobody can try 2**128 of them at any price."""


class Hashed(msgspec.Struct, frozen=True):
    """What is kept of a password."""

    salt: bytes
    digest: bytes


def generate_password() -> str:
    """A password of 128 random bits, made of letters, digits, - and _."""
    return secrets.token_urlsafe(16)


def hash_password(password: str, cost: Cost = CHOSEN) -> Hashed:
    """What to keep of a password.  Takes time: not for the event loop.

    Raises JMSSecurityError if it is empty or longer than `LONGEST`.
    """
    if not password:
        raise JMSSecurityError("the password is empty; choose one with at least one character")
    if len(password) > LONGEST:
        raise JMSSecurityError(f"the password has {len(password)} characters; at most {LONGEST} are allowed")
    salt = bytes(cost) + secrets.token_bytes(_RANDOM_SALT)
    return Hashed(salt, _scrypt(password, salt))


def verify_password(password: str, kept: Hashed | None) -> bool:
    """Whether the password is the one kept.  Takes time.

    A wrong one always takes the time of `CHOSEN`, also if there is nobody (None) to compare with: how long it took
    tells nobody which names there are.
    """
    if len(password) > LONGEST:
        return False
    if kept is not None and hmac.compare_digest(_scrypt(password, kept.salt), kept.digest):
        return True
    if kept is None or Cost(*kept.salt[:3]) != CHOSEN:
        _scrypt(password, _NOBODY)
    return False


_NOBODY: Final = bytes(CHOSEN) + bytes(_RANDOM_SALT)


def _scrypt(password: str, salt: bytes) -> bytes:
    log_n, r, p = salt[:3]
    # Not strict: a lone surrogate is no reason to answer differently from a wrong password.
    data = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=_DIGEST_SIZE)
