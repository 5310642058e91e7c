"""One request for a page: who asks, what was sent, and how pages are answered.

A page is a function of a visit.  It asks the operations of the HTTP interface, as any client does but without a
connection: parameters and bodies are checked by the same types, and the role by the same table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rmimom.listeners.http.app import address_of
from rmimom.listeners.http.console.form import Form, csrf_token
from rmimom.listeners.http.console.listing import Listing
from rmimom.listeners.http.gate import Caller, check_role
from rmimom.listeners.http.operation import SMALL_BODY, Call
from rmimom.listeners.http.paging import Page
from rmimom.listeners.http.problems import bad_request
from rmimom.roles import ADMIN, OPERATOR, VIEWER, may_act_as

if TYPE_CHECKING:
    from rmimom.listeners.http.console.routes import Console

Q = TypeVar("Q")
B = TypeVar("B")
A = TypeVar("A")

SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": browsers would send forms without an origin then.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
RENEWAL: Final = "rmimom-renewal"
"""The header of a request by which a page that is shown is read again, not by a person: it is told nothing."""
_MOST_NOTICES: Final = 20
_LONGEST_NOTICE: Final = 1000

Level: TypeAlias = Literal["success", "info", "warning", "error"]


class Visit:
    """One request for a page; see the module's text."""

    def __init__(self, console: Console, request: Request, caller: Caller, form: Form) -> None:
        self.console = console
        self.view = console.api.view
        self.request = request
        self.caller = caller
        self.path: Mapping[str, str] = request.path_params
        self.query: QueryParams = request.query_params
        self.form = form

    async def ask(
        self,
        handler: Callable[[Call[Q, B]], Awaitable[A]],
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        path: Mapping[str, str] | None = None,
    ) -> A:
        """Carry out an operation of the interface; raises what it raises, and Refusal if it may not be asked so."""
        operation = self.console.operations[handler]
        if operation.role is not None:
            check_role(self.caller, operation.role)
        api = self.console.api
        call: Call[Any, Any] = Call(
            api.view,
            api.gate,
            api.sampler,
            self.caller,
            address_of(self.request),
            self.path if path is None else path,
            _convert(query or {}, operation.query),
            _convert(body or {}, operation.body) if operation.body is not None else None,
        )
        return await handler(call)

    async def read_list(
        self, handler: Callable[[Call[Any, None]], Awaitable[Page[A]]], listing: Listing, **more: str
    ) -> list[A]:
        """The rows of a list that the page shows."""
        found = await self.ask(handler, {**listing.query(), **more})
        if not listing.learn(found.total):
            found = await self.ask(handler, {**listing.query(), **more})
        return found.items

    def may(self, role: str) -> bool:
        """Whether who asks may do what asks for this role."""
        return may_act_as(self.caller.role, role)

    async def show(
        self, template: str, code: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None, /, **facts: object
    ) -> Response:
        """A page."""
        session = self.console.api.gate.sessions.find(self.caller.token)
        notices: list[tuple[str, str]] = []
        if session is not None and RENEWAL not in self.request.headers:
            notices, session.notices = session.notices, []
        known = self.view.facts()
        text = await self.console.render(
            template,
            caller=self.caller,
            csrf=csrf_token(self.caller.token) if self.caller.token else "",
            notices=notices,
            here=here(self.request),
            can_change=self.may(OPERATOR) and self.view.engine is not None,
            is_admin=self.may(ADMIN),
            is_active=self.view.engine is not None,
            active=self.view.active,
            role=known.get("role", ""),
            address=known.get("address", ""),
            version=known.get("version", ""),
            console_of=self.console_of,
            **facts,
        )
        return Response(text, code, headers={**HEADERS, **(headers or {})}, media_type="text/html")

    def console_of(self, address: str) -> str:
        """Where the console of another server is: known of the active one; else it is likely on the port of ours."""
        if address == self.view.active and self.view.active_http:
            return f"{self.view.active_http}/"
        host = address.rpartition(":")[0]
        server = self.request.scope.get("server")
        return f"http://{host}:{server[1]}/" if server and server[1] else f"http://{host}/"

    def say(self, level: Level, text: str) -> None:
        """Have the next page that somebody of the session goes to say something."""
        session = self.console.api.gate.sessions.find(self.caller.token)
        if session is not None:
            session.notices = [*session.notices, (level, text[:_LONGEST_NOTICE])][-_MOST_NOTICES:]

    def go(self, path: str) -> Response:
        """Have another page read: the end of everything that changed something."""
        return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=HEADERS)

    def go_back(self, otherwise: str) -> Response:
        """Have the page read again from which a form was sent, as the form says, or another."""
        return self.go(safe_path(self.form.get("next"), otherwise))


def here(request: Request) -> str:
    """The path of a request with its parameters."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    path: str = request.scope["path"]
    return f"{path}?{query}" if query else path


def safe_path(text: str, otherwise: str = "/") -> str:
    """The text if it is a path of this server, as which no address of another one passes."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or any(ord(char) < 33 for char in text):
        return otherwise
    # What is not ASCII would not get through a header.
    return quote(text, safe="/%?&=+:;,@!$'()*~-._")


def to_login(request: Request) -> Response:
    """Have the login read, which leads back to where the person was."""
    if "hx-request" in request.headers:
        current = urlsplit(request.headers.get("hx-current-url", ""))
        place = f"{current.path}?{current.query}" if current.query else current.path
        return Response(
            status_code=HTTPStatus.UNAUTHORIZED, headers={**HEADERS, "HX-Redirect": _login_at(safe_path(place))}
        )
    place = safe_path(here(request)) if request.method in {"GET", "HEAD"} else page_before(request)
    return RedirectResponse(_login_at(place), HTTPStatus.SEE_OTHER, headers=HEADERS)


def page_before(request: Request) -> str:
    """The page of this server on which the link or the form was, or Home."""
    referrer = urlsplit(request.headers.get("referer", ""))
    if referrer.netloc != request.headers.get("host", ""):
        return "/"
    return safe_path(f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path)


def _login_at(place: str) -> str:
    return "/login" if place == "/" else f"/login?{urlencode({'next': place})}"


def _convert(given: Mapping[str, object], kind: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"this cannot be asked for: {error}") from None


Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]


class PageRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One page or one form's end: where it is, and the role that it asks for; see `routes.py`."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    role: str = VIEWER
    most: int = SMALL_BODY


def page(path: str, handler: Handler, role: str = VIEWER) -> PageRoute:
    """A page."""
    return PageRoute(method="GET", path=path, handler=handler, role=role)


def order(path: str, handler: Handler, role: str = OPERATOR, most: int = SMALL_BODY) -> PageRoute:
    """What becomes of a form, which holds at most so many bytes."""
    return PageRoute(method="POST", path=path, handler=handler, role=role, most=most)
