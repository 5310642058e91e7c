"""One operation of the interface: what is asked, who may ask, and what is answered.

The modules of this package list their operations in tables.  `app.py` makes routes of them and `openapi.py` the
description, so that the two cannot differ.  A handler takes a `Call` and returns its answer, or raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

from rmimom.access import Access
from rmimom.destination import SYSTEM_PREFIX, Destination, Queue, Topic
from rmimom.engine import Engine
from rmimom.errors import ConnectionFailedError, InvalidDestinationError
from rmimom.listeners.http.gate import Caller, Gate
from rmimom.listeners.http.problems import Refusal
from rmimom.listeners.http.view import ServerView
from rmimom.roles import VIEWER

if TYPE_CHECKING:
    from rmimom.listeners.http.sampler import Sampler

PREFIX: Final = "/api/v1"
SMALL_BODY: Final = 1024 * 1024
"""Bytes of a request that carries orders."""
LARGE_BODY: Final = 32 * 1024 * 1024
"""Bytes of a request that carries a message."""

Q = TypeVar("Q")
B = TypeVar("B")

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Binary(msgspec.Struct, frozen=True):
    """An answer that is no JSON."""

    data: bytes
    media_type: str
    name: str = ""


class Stream:
    """An answer that goes on: server-sent events.

    `leave` ends what feeds them, also if nobody ever reads one; twice is harmless.
    """

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        self.events = events
        self.leave = leave


class Call(Generic[Q, B]):
    """One request that was let in: `path` are the parts of the path by name, `query` and `body` what else was sent."""

    def __init__(
        self,
        view: ServerView,
        gate: Gate,
        sampler: Sampler,
        caller: Caller,
        address: str,
        path: Mapping[str, str],
        query: Q,
        body: B,
    ) -> None:
        self.view = view
        self.gate = gate
        self.sampler = sampler
        self.caller = caller
        self.address = address
        self.path = path
        self.query = query
        self.body = body

    @property
    def engine(self) -> Engine:
        """The engine; raises Refusal, naming the active server, if this one is not active."""
        return engine_of(self.view)

    @property
    def access(self) -> Access:
        """The users; raises Refusal, naming the active server, if this one is not active."""
        access = self.view.access
        if access is None:
            raise not_active(self.view)
        return access

    @property
    def queue(self) -> Queue:
        """The queue that the path names; it may not exist."""
        return Queue(self.path["name"])

    @property
    def topic(self) -> Topic:
        """The topic that the path names; it may not exist."""
        return Topic(self.path["name"])


Handler: TypeAlias = Callable[[Call[Any, Any]], Awaitable[object]]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation; the handler's docstring is its description.

    `role` None lets everybody in; `query`, `body` and `answer` are the types of what is sent both ways, `answer` None
    is no content.
    """

    method: Method
    path: str
    handler: Handler
    tag: str
    role: str | None = VIEWER
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: HTTPStatus = HTTPStatus.OK
    max_body: int = SMALL_BODY

    @property
    def name(self) -> str:
        """How the operation is called."""
        return self.handler.__name__

    @property
    def success(self) -> HTTPStatus:
        """The status of success."""
        return self.status if self.answer is not None else HTTPStatus.NO_CONTENT


def engine_of(view: ServerView) -> Engine:
    """The engine of the server; raises Refusal, naming the active server, if there is none."""
    engine = view.engine
    if engine is None:
        raise not_active(view)
    return engine


def not_active(view: ServerView) -> Refusal:
    """What is asked needs the active server, and this is another."""
    where = f"the active one is {view.active}" if view.active else "it is not known which one is active"
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        ConnectionFailedError(
            f"this server is not the active one of its cluster; {where}",
            active=view.active or None,
            active_http=view.active_http or None,
        ),
        {"Retry-After": "1"},
    )


def changeable(destination: Destination) -> Destination:
    """The destination, if its name is allowed and not the server's own; raises Refusal."""
    try:
        destination.checked()
        if destination.name.startswith(SYSTEM_PREFIX):
            # The core lets the connection of the server itself have them, and administrators act in its name.
            raise InvalidDestinationError(
                f"names that start with {SYSTEM_PREFIX!r} belong to the server; choose another name than "
                f"{destination.name!r}",
                destination=str(destination),
            )
    except InvalidDestinationError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, error) from None
    return destination
