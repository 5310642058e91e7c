"""Logging in and out, and who one is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

import msgspec

from rmimom.listeners.http.operation import Call, Nothing, Operation
from rmimom.passwords import LONGEST
from rmimom.roles import NONE


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and a password."""

    user: Annotated[str, msgspec.Meta(max_length=1000)]
    password: Annotated[str, msgspec.Meta(max_length=LONGEST)]


class LoggedIn(msgspec.Struct, frozen=True):
    """A session began: send its token as `Authorization: Bearer TOKEN`.

    It ends at `ends` (milliseconds since 1970 UTC) if it is not used; each request makes it last longer.
    """

    token: str
    user: str
    role: str
    ends: int


class Me(msgspec.Struct, frozen=True):
    """Who asks, and in which role: viewer, operator, admin, or empty for none."""

    user: str
    role: str


async def login(call: Call[Nothing, Credentials]) -> LoggedIn:
    """Begin a session.

    After some wrong passwords an address has to wait, as the header Retry-After says.
    """
    identity, token, session = await call.gate.login(call.body.user, call.body.password, call.address)
    return LoggedIn(token, identity.user, identity.acts_as, session.ends)


async def logout(call: Call[Nothing, None]) -> None:
    """End the session whose token was sent; harmless for a request with name and password."""
    if call.caller.token:
        call.gate.sessions.close(call.caller.token)


async def me(call: Call[Nothing, None]) -> Me:
    """Tell who asks."""
    return Me(call.caller.user, call.caller.role)


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/login",
        handler=login,
        tag="login",
        role=None,
        body=Credentials,
        answer=LoggedIn,
        status=HTTPStatus.CREATED,
    ),
    Operation(method="POST", path="/logout", handler=logout, tag="login", role=NONE),
    Operation(method="GET", path="/me", handler=me, tag="login", role=NONE, answer=Me),
)
