"""The interface as an ASGI application.  It is imported when the first client connects: not everybody needs it.

Each request is let in (`gate.py`), its role is checked, and its parameters and its body are read as the types that the
operation names.  Whatever goes wrong is answered with a problem document.

Names in paths are percent-encoded, slashes too, so paths are matched before they are decoded.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rmimom.errors import JMSError, MessageFormatError, MessageTooLargeError
from rmimom.listeners.http import (
    connections,
    dead_letters,
    destinations,
    login,
    messages,
    prometheus,
    scheduled,
    selecting,
    status,
    subscriptions,
    tailing,
    tracing,
    users,
)
from rmimom.listeners.http.cookie import session_token
from rmimom.listeners.http.gate import Caller, Gate, check_role
from rmimom.listeners.http.openapi import describe
from rmimom.listeners.http.operation import PREFIX, Binary, Call, Operation, Stream
from rmimom.listeners.http.problems import (
    MEDIA_TYPE,
    Problem,
    Refusal,
    bad_request,
    encode_problem,
    plain_problem,
    problem_of,
)
from rmimom.listeners.http.sampler import Sampler
from rmimom.listeners.http.view import ServerView
from rmimom.roles import VIEWER

log = logging.getLogger(__name__)

OPERATIONS: Final[tuple[Operation, ...]] = (
    *login.OPERATIONS,
    *status.OPERATIONS,
    *destinations.OPERATIONS,
    *subscriptions.OPERATIONS,
    *connections.OPERATIONS,
    *messages.OPERATIONS,
    *selecting.OPERATIONS,
    *tailing.OPERATIONS,
    *dead_letters.OPERATIONS,
    *tracing.OPERATIONS,
    *scheduled.OPERATIONS,
    *users.OPERATIONS,
)
"""Everything that the interface can do, beside events, health and metrics."""

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_READING: Final = frozenset({"GET", "HEAD"})
_encode = msgspec.json.Encoder().encode


class _Segment(Convertor[str]):
    """One part of a path, decoded."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        try:
            return unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            raise bad_request("the path is not UTF-8, percent-encoded") from None

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("segment", _Segment())


class RawPaths:
    """Lets the application see paths as they were sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            raw = scope.get("raw_path")
            path = raw.decode("latin-1") if raw else quote(scope["path"], safe="/")
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class Api:
    """Answers requests; see the module's text."""

    def __init__(self, view: ServerView, gate: Gate, sampler: Sampler) -> None:
        self.view = view
        self.gate = gate
        self.sampler = sampler
        self._description = _encode(describe(OPERATIONS))

    def routes(self) -> list[BaseRoute]:
        """The routes of the interface."""
        by_path: dict[str, list[Operation]] = {}
        for operation in OPERATIONS:
            by_path.setdefault(PREFIX + operation.path, []).append(operation)
        return [
            Route("/healthz", _answered(self._health)),
            Route("/readyz", _answered(self._ready)),
            Route("/metrics", _answered(self._metrics)),
            Route(f"{PREFIX}/openapi.json", _answered(self._openapi)),
            Route(f"{PREFIX}/events", _answered(self._events)),
            *[self._route(path, operations) for path, operations in by_path.items()],
        ]

    def _route(self, path: str, operations: Sequence[Operation]) -> Route:
        by_method = {operation.method: operation for operation in operations}

        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await self._carry_out(by_method[method], request)  # type: ignore[index]  # the route has these methods alone

        pattern = path.replace("}", ":segment}")
        return Route(pattern, _answered(answer), methods=list(by_method))

    async def _carry_out(self, operation: Operation, request: Request) -> Response:
        address = address_of(request)
        caller = Caller("", "")
        if operation.role is not None:
            caller = await self._caller(request, operation.role)
        if operation.method not in _READING:
            check_origin(request)
        query = _read_query(operation, request)
        body = None if operation.body is None else await _read_body(operation, request)
        call: Call[Any, Any] = Call(
            self.view, self.gate, self.sampler, caller, address, request.path_params, query, body
        )
        answer = await operation.handler(call)
        if isinstance(answer, Binary):
            disposition = {"Content-Disposition": f'attachment; filename="{answer.name}"'}
            return Response(answer.data, headers={**_HEADERS, **disposition}, media_type=answer.media_type)
        if isinstance(answer, Stream):
            return self._stream(caller, answer)
        if operation.answer is None:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=_HEADERS)
        return Response(_encode(answer), operation.success.value, headers=_HEADERS, media_type="application/json")

    async def _caller(self, request: Request, role: str) -> Caller:
        authorization = request.headers.get("authorization", "")
        # A browser sends its cookie with whatever any page asks for, so it is good for looking and for nothing else.
        token = session_token(request) if request.method in _READING and not authorization else ""
        if token:
            caller = await self.gate.caller_of_session(token)
        else:
            caller = await self.gate.caller(authorization, address_of(request))
        check_role(caller, role)
        return caller

    async def _health(self, request: Request) -> Response:
        """Whether the process lives: it does if it answers."""
        del request
        return _json({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        """Whether the server takes messages: an active one with room on its disk."""
        del request
        engine = self.view.engine
        role = str(self.view.facts().get("role", ""))
        if engine is None or engine.failure is not None:
            return _json({"status": "not ready", "role": role}, HTTPStatus.SERVICE_UNAVAILABLE)
        if engine.statistics().full:
            return _json({"status": "full", "role": role}, HTTPStatus.SERVICE_UNAVAILABLE)
        return _json({"status": "ready", "role": role})

    async def _metrics(self, request: Request) -> Response:
        await self._caller(request, VIEWER)
        text = await prometheus.metrics(self.view)
        return Response(text, headers=_HEADERS, media_type=prometheus.MEDIA_TYPE)

    async def _openapi(self, request: Request) -> Response:
        del request
        return Response(self._description, headers=_HEADERS, media_type="application/json")

    async def _events(self, request: Request) -> Response:
        caller = await self._caller(request, VIEWER)
        listener = self.sampler.hub.join()
        return self._stream(caller, Stream(listener.events(), listener.leave))

    def _stream(self, caller: Caller, stream: Stream) -> Response:
        """Events as long as there are any, and the session lasts."""

        async def events() -> AsyncIterator[bytes]:
            yield b"retry: 2000\n\n"
            async for event in stream.events:
                if caller.token:
                    try:
                        await self.gate.caller_of_session(caller.token)
                    except Refusal:
                        return
                yield event

        return _EventStream(events(), stream.leave)


class _EventStream(StreamingResponse):
    """A stream that is left in any case, also if the client goes away before the first event."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(events, headers=_HEADERS, media_type="text/event-stream")
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


Refuse: TypeAlias = Callable[[Request, Problem, Mapping[str, str]], Awaitable[Response]]
"""Answers a request that no route takes, with a problem and the headers that go with it."""


def make_app(api: Api, more: Sequence[BaseRoute] = (), refuse: Refuse | None = None) -> ASGIApp:
    """The application with the routes of the interface, and `more`, whose errors of routing `refuse` answers."""

    async def answer(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
        if refuse is None or request.scope["path"].startswith(f"{PREFIX}/"):
            return problem_response(problem, headers)
        return await refuse(request, problem, headers)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await answer(request, plain_problem(error.status_code), error.headers or {})

    async def of_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return await answer(request, problem_of(error.error, error.status), error.headers)

    app = Starlette(routes=[*api.routes(), *more], exception_handlers={HTTPException: of_http, Refusal: of_refusal})
    app.router.redirect_slashes = False
    return RawPaths(app)


def _answered(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """The handler, with a problem document for whatever it raises."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as error:
            return problem_response(problem_of(error.error, error.status), error.headers)
        except JMSError as error:
            return problem_response(problem_of(error))
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except Exception:  # a fault of ours: the client hears that, and the log the rest
            log.exception("a request failed: %s %s", request.method, request.url.path)
            return problem_response(
                plain_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server made a mistake; its log says more")
            )

    return answer


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document as a response."""
    return Response(
        encode_problem(problem), problem.status, headers={**_HEADERS, **(headers or {})}, media_type=MEDIA_TYPE
    )


def _json(data: object, status_code: int = HTTPStatus.OK) -> Response:
    return Response(_encode(data), status_code, headers=_HEADERS, media_type="application/json")


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client is not None else ""


def check_origin(request: Request) -> None:
    """Raise Refusal for what a page of another site made a browser send."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Refusal(
            HTTPStatus.FORBIDDEN, MessageFormatError(f"a page of {origin} cannot give orders here", origin=origin)
        )


def _read_query(operation: Operation, request: Request) -> msgspec.Struct:
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) < len(pairs):
        raise bad_request("a parameter is given twice; give each once")
    try:
        return msgspec.convert(given, operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"the parameters are wrong: {error}") from None


async def _read_body(operation: Operation, request: Request) -> object:
    assert operation.body is not None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Beside its meaning this keeps out what a browser sends for a page of another site without asking us.
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            MessageFormatError("send the body as JSON, with the header Content-Type: application/json"),
        )
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > operation.max_body:
            raise MessageTooLargeError(
                f"the request is larger than {operation.max_body} bytes", limit=operation.max_body
            )
    try:
        return msgspec.json.decode(b"".join(parts) or b"{}", type=operation.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body is wrong: {error}") from None
