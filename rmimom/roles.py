"""What a user may do in the administration, beside sending and receiving.

    admin     everything, users among it
    operator  changes destinations, subscriptions, connections and messages
    viewer    looks at everything but users, and changes nothing

A user without a role has no part in the administration.
"""

from __future__ import annotations

from typing import Final

NONE: Final = ""
VIEWER: Final = "viewer"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"

ROLES: Final = (VIEWER, OPERATOR, ADMIN)
"""From the least to the greatest."""

_RANKS: Final = {NONE: 0, VIEWER: 1, OPERATOR: 2, ADMIN: 3}


def role_of(role: str, *, administrator: bool) -> str:
    """The role of a user as it is recorded; administrators of older records have the mark alone."""
    return ADMIN if administrator else role


def may_act_as(role: str, wanted: str) -> bool:
    """Whether somebody with a role may do what asks for another."""
    return _RANKS.get(role, 0) >= _RANKS[wanted]
