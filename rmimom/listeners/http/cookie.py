"""The cookie by which a browser shows its session.

Cookies know hosts but not ports, so its name holds the port: the consoles of two servers of one machine do not log each
other out.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_PREFIX: Final = "rmimom-session"


def cookie_name(request: Request) -> str:
    """How the cookie of this server is called."""
    server = request.scope.get("server")
    return f"{_PREFIX}-{server[1]}" if server and server[1] else _PREFIX


def session_token(request: Request) -> str:
    """The token of the session that a browser shows, or empty."""
    return request.cookies.get(cookie_name(request), "")


def hand_out(request: Request, response: Response, token: str) -> None:
    """Give a browser the session's cookie: for us alone, out of reach for scripts and for pages of other sites."""
    response.set_cookie(
        cookie_name(request), token, path="/", httponly=True, samesite="strict", secure=_is_over_tls(request)
    )


def take_back(request: Request, response: Response) -> None:
    """Let a browser forget the session's cookie."""
    response.delete_cookie(
        cookie_name(request), path="/", httponly=True, samesite="strict", secure=_is_over_tls(request)
    )


def _is_over_tls(request: Request) -> bool:
    # We speak no TLS, so a proxy must have said so.  Who says so without one keeps its own browser out, nobody else's.
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "") == "https"
