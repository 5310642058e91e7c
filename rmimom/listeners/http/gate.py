"""Who asks: a name and a password (HTTP basic), or the token of a session that began with them.

Rule 1: a wrong password counts against its address (`throttle.py`).  The server's own token cannot be guessed, so it
        is never made to wait: the command line on the server's machine works while somebody else guesses.
Rule 2: the role is that of the user now, not at the login.
"""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Final

import msgspec

from rmimom.access import Identity
from rmimom.admin_token import LOCAL_USER
from rmimom.errors import JMSSecurityError, ResourceAllocationError
from rmimom.listeners.http.problems import Refusal
from rmimom.listeners.http.sessions import Session, Sessions
from rmimom.listeners.http.throttle import Throttle
from rmimom.listeners.http.view import ServerView
from rmimom.roles import ADMIN, may_act_as, role_of

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="rmimom"'}


class Caller(msgspec.Struct, frozen=True):
    """Who asks, and in which role; `token` is that of the session, or empty."""

    user: str
    role: str
    token: str = ""


class Gate:
    """Lets callers in; see the module's text."""

    def __init__(self, view: ServerView) -> None:
        self._view = view
        self._throttle = Throttle(view.clock)
        self.sessions = Sessions(view.clock)

    async def login(self, user: str, password: str, address: str) -> tuple[Identity, str, Session]:
        """Begin a session; returns who it is, the token and the session.  Raises Refusal."""
        identity = await self._authenticate(user, password, address)
        known = await self._view.user(user)
        token, session = self.sessions.open(user, known.digest if known else b"")
        return identity, token, session

    async def caller(self, authorization: str, address: str) -> Caller:
        """Who sends this Authorization header.  Raises Refusal."""
        scheme, _, value = authorization.partition(" ")
        value = value.strip()
        if scheme.lower() == "bearer":
            return await self.caller_of_session(value)
        if scheme.lower() == "basic":
            user, password = _read_basic(value)
            identity = await self._authenticate(user, password, address)
            return Caller(identity.user, identity.acts_as)
        raise Refusal(
            HTTPStatus.UNAUTHORIZED,
            JMSSecurityError("this needs a login: HTTP basic, or the token that POST /api/v1/login answers with"),
            _CHALLENGE,
        )

    async def caller_of_session(self, token: str) -> Caller:
        """Who has the session of this token.  Raises Refusal."""
        session = self.sessions.find(token)
        if session is not None and session.user == LOCAL_USER:
            return Caller(LOCAL_USER, ADMIN, token)
        known = await self._view.user(session.user) if session is not None else None
        if known is None or session is None or known.digest != session.digest:
            self.sessions.close(token)
            raise Refusal(HTTPStatus.UNAUTHORIZED, JMSSecurityError("the session has ended; log in again"), _CHALLENGE)
        return Caller(known.name, role_of(known.role, administrator=known.administrator), token)

    async def _authenticate(self, user: str, password: str, address: str) -> Identity:
        counts = user != LOCAL_USER
        try:
            if counts:
                self._throttle.check(address)
            return await self._view.authenticate(user, password)
        except ResourceAllocationError as error:
            seconds = error.facts.get("seconds", 1)
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, {"Retry-After": str(seconds)}) from None
        except JMSSecurityError as error:
            if counts:
                self._throttle.failed(address)
            raise Refusal(HTTPStatus.UNAUTHORIZED, error, _CHALLENGE) from None


def check_role(caller: Caller, wanted: str) -> None:
    """Raise Refusal unless the caller may do what asks for this role."""
    if not may_act_as(caller.role, wanted):
        has = f"has the role {caller.role}" if caller.role else "has no role in the administration"
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            JMSSecurityError(f"this needs the role {wanted}, but {caller.user!r} {has}", role=wanted, user=caller.user),
        )


def _read_basic(value: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refusal(
            HTTPStatus.UNAUTHORIZED,
            JMSSecurityError("the Authorization header is not HTTP basic: base64 of NAME:PASSWORD in UTF-8"),
            _CHALLENGE,
        ) from None
    return user, password
