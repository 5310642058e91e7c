"""Bounds of what clients may choose, so that everything they choose can be stored, listed and sent on."""

from __future__ import annotations

import re

from rmimom.errors import JMSError

MAX_NUMBER = 2**63 - 1
"""The greatest number that any store and any peer can take."""
MAX_RANK = 1_000_000
"""The greatest priority that a consumer can have."""
MAX_NAME_LENGTH = 255
MAX_URI_LENGTH = 2048

# Control characters make lists and logs lie; a lone surrogate is no character and cannot be encoded.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def check_text(text: str, what: str, error: type[JMSError], limit: int = MAX_NAME_LENGTH) -> None:
    """Raise `error` if a text that a client chose is too long or holds what is no character; empty is allowed."""
    if len(text) > limit:
        raise error(f"{what} has {len(text)} characters; at most {limit} are allowed", length=len(text), limit=limit)
    found = _FORBIDDEN.search(text)
    if found:
        raise error(
            f"{what} holds {found.group()!r} at position {found.start()}; leave out control characters and surrogates",
            position=found.start(),
        )


def check_number(number: int, what: str, error: type[JMSError], least: int = 0) -> None:
    """Raise `error` if a number that a client chose is out of bounds."""
    if not least <= number <= MAX_NUMBER:
        raise error(f"{what} is {number}; it must be between {least} and {MAX_NUMBER}")
