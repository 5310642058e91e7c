"""The console as routes beside those of the HTTP interface.

Each module lists its pages in a table, and the routes are made of these tables.  Before a page is made its session is
looked for, the form's token is checked, and then the role.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from rmimom.errors import JMSError
from rmimom.listeners.http.app import OPERATIONS, Api, check_origin, make_app
from rmimom.listeners.http.console import (
    cluster,
    connections,
    dead_letters,
    destinations,
    entrance,
    home,
    messages,
    scheduled,
    selecting,
    sending,
    subscribers,
    users,
)
from rmimom.listeners.http.console.form import Form, check_csrf, read_form
from rmimom.listeners.http.console.listing import LIMITS
from rmimom.listeners.http.console.properties import typed
from rmimom.listeners.http.console.static_files import StaticFiles
from rmimom.listeners.http.console.visit import PageRoute, Visit, page_before, to_login
from rmimom.listeners.http.console.words import (
    count,
    shorten,
    write_duration,
    write_segment,
    write_size,
    write_time,
)
from rmimom.listeners.http.cookie import session_token
from rmimom.listeners.http.gate import Caller, Gate, check_role
from rmimom.listeners.http.operation import Operation
from rmimom.listeners.http.problems import Problem, Refusal, plain_problem, problem_of
from rmimom.listeners.http.sampler import Sampler
from rmimom.listeners.http.view import ServerView

log = logging.getLogger(__name__)

TURN: Final = 0.001
"""Seconds that making a page takes at most before others have their turn."""

PAGES: Final[tuple[PageRoute, ...]] = (
    *entrance.PAGES,
    *home.PAGES,
    *destinations.PAGES,
    *messages.PAGES,
    *selecting.PAGES,
    *subscribers.PAGES,
    *connections.PAGES,
    *scheduled.PAGES,
    *dead_letters.PAGES,
    *cluster.PAGES,
    *sending.PAGES,
    *users.PAGES,
)
"""Every page and form of the console, beside the login."""


class Console:
    """Answers requests for pages; see the module's text."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.operations: Mapping[Any, Operation] = {operation.handler: operation for operation in OPERATIONS}
        self._files = StaticFiles()
        # The console's own texts are the templates; whatever comes from outside is escaped.
        self._templates = Environment(
            loader=PackageLoader("rmimom.listeners.http.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(asset=self._files.address, limits=LIMITS, count=count)
        self._templates.filters.update(
            time=write_time,
            typed=typed,
            size=write_size,
            duration=write_duration,
            segment=write_segment,
            shorten=shorten,
        )

    async def render(self, template: str, /, **facts: object) -> str:
        """A page as text.  Long lists take a while, in which others have their turn."""
        parts: list[str] = []
        turn = time.perf_counter()
        for part in self._templates.get_template(template).generate(facts):
            parts.append(part)
            if time.perf_counter() - turn > TURN:
                await asyncio.sleep(0)
                turn = time.perf_counter()
        return "".join(parts)

    def routes(self) -> list[BaseRoute]:
        """The routes of the console."""
        by_path: dict[str, list[PageRoute]] = {}
        for one in PAGES:
            by_path.setdefault(one.path, []).append(one)
        return [
            Route("/static/{name:path}", self._files.serve, methods=["GET"]),
            Route("/login", self._answered(self._show_login), methods=["GET"]),
            Route("/login", self._answered(self._log_in), methods=["POST"]),
            *[self._route(path, pages) for path, pages in by_path.items()],
        ]

    def _route(self, path: str, pages: Sequence[PageRoute]) -> Route:
        by_method = {one.method: one for one in pages}

        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await self._visit(by_method[method], request)  # type: ignore[index]  # the route has these alone

        return Route(path.replace("}", ":segment}"), self._answered(answer), methods=list(by_method))

    async def _visit(self, wanted: PageRoute, request: Request) -> Response:
        token = session_token(request)
        try:
            caller = await self.api.gate.caller_of_session(token)
        except Refusal:
            return to_login(request)
        form = Form()
        if wanted.method == "POST":
            check_origin(request)
            form = await read_form(request, wanted.most)
            check_csrf(token, form.get("csrf"))
        check_role(caller, wanted.role)
        return await wanted.handler(Visit(self, request, caller, form))

    async def _show_login(self, request: Request) -> Response:
        return await entrance.show_login(await self._stranger(request))

    async def _log_in(self, request: Request) -> Response:
        # There is no session yet whose token the form could hold; the origin says that it is ours.
        check_origin(request)
        form = await read_form(request, entrance.MOST_BYTES)
        return await entrance.log_in(await self._stranger(request, form))

    async def _stranger(self, request: Request, form: Form | None = None) -> Visit:
        """A visit of who may not have a session."""
        try:
            caller = await self.api.gate.caller_of_session(session_token(request))
        except Refusal:
            caller = Caller("", "")
        return Visit(self, request, caller, form or Form())

    def _answered(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The handler, with a page for whatever it raises."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as error:
                return await self.refuse(request, problem_of(error.error, error.status), error.headers)
            except JMSError as error:
                return await self.refuse(request, problem_of(error), {})
            except ClientDisconnect:
                return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
            except Exception:  # a fault of ours: the person hears that, and the log the rest
                log.exception("a page could not be made: %s %s", request.method, request.url.path)
                text = "the server made a mistake; its log says more"
                return await self.refuse(request, plain_problem(HTTPStatus.INTERNAL_SERVER_ERROR, text), {})

        return answer

    async def refuse(self, request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
        """A page that says what is wrong."""
        visit = await self._stranger(request)
        kept = {name: value for name, value in headers.items() if name.lower() != "www-authenticate"}
        return await visit.show("error.html", problem.status, kept, problem=problem, back=page_before(request))


def make_whole_app(view: ServerView, gate: Gate, sampler: Sampler) -> ASGIApp:
    """The application as the server has it: interface and console."""
    api = Api(view, gate, sampler)
    console = Console(api)
    return make_app(api, console.routes(), console.refuse)
