"""A client of the HTTP interface, on the standard library's: small, quick to import, and with a time limit everywhere.

Several URLs are several servers of one cluster.  The first one that answers is asked.  One that is not active says so,
and then the order goes to the active one: to where the answer says it is, or else to the next URL.  An order is sent a
second time only if the first one surely did nothing: when no connection was made, or a server said that it is not
active.

A login goes to the servers that it was given for, and from a server of the cluster to the active one it names; never
from https to http.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, NoReturn, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from rmimom.admin.failure import AWAY, REFUSED, Failure

PREFIX: Final = "/api/v1"
TIME_LIMIT: Final = 30.0
"""Seconds for one answer.  An order for many messages takes some seconds."""
PAGE: Final = 1000
"""Rows that are asked for at once."""
_FRESH: Final = 2.0
"""Seconds for which a connection that rests is used again for an order: a server closes those that rest long."""
_LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of one event: a message with its whole body."""

T = TypeVar("T")


class Login(NamedTuple):
    """A name and a password."""

    user: str
    password: str

    def __repr__(self) -> str:
        # A password has no place in a traceback.
        return f"Login({self.user!r}, ...)"


class _NotConnectedError(Exception):
    """Nobody answers, and nothing was sent."""


class _Answer(NamedTuple):
    """What came back."""

    status: int
    media_type: str
    data: bytes


def segment(name: str, what: str = "the name") -> str:
    """A name as a part of a path.  Raises Failure if no server could know it."""
    if not name:
        raise Failure(f"{what} is empty", AWAY)
    try:
        # Dots alone would be read as steps in the path by whatever stands between us and the server.
        return quote(name, safe="").replace(".", "%2E") if name in {".", ".."} else quote(name, safe="")
    except UnicodeEncodeError:
        raise Failure(f"{what} is not Unicode: {name.encode('utf-8', 'backslashreplace').decode()}", AWAY) from None


class Client:
    """Asks the servers at `urls`, the beginnings of their URLs, under one login; see the module's text.

    `follow` lets orders go to the active server that a standby names.  Every method raises Failure.
    """

    def __init__(
        self, urls: tuple[str, ...], login: Login | None, *, follow: bool = True, time_limit: float = TIME_LIMIT
    ) -> None:
        assert urls
        self.urls = urls
        self.login = login
        self.time_limit = time_limit
        self._follow = follow
        self._connection: http.client.HTTPConnection | None = None
        self._connected = ""
        self._at = ""
        self._used = 0.0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The server that is asked next."""
        return self._at or self.urls[0]

    def get(self, path: str, **query: Any) -> Any:
        """Read."""
        return self._decoded("GET", _with_query(path, query), None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Give an order."""
        return self._decoded("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something."""
        return self._decoded("PUT", path, body)

    def delete(self, path: str) -> None:
        """Delete something."""
        self._decoded("DELETE", path, None)

    def download(self, path: str) -> bytes:
        """Read something that is no JSON."""
        return self._ask("GET", PREFIX + path, None).data

    def text(self, path: str) -> str:
        """Read what is served beside the interface, such as `/metrics`."""
        return self._ask("GET", path, None).data.decode("utf-8", "replace")

    def items(self, path: str, *, most: int | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """The rows of a list, at most so many, page by page."""
        offset = 0
        while most is None or offset < most:
            limit = PAGE if most is None else min(PAGE, most - offset)
            page = self.get(path, limit=limit, offset=offset, **query)
            yield from page["items"]
            offset += len(page["items"])
            if not page["items"] or offset >= page["total"]:
                return

    def messages(self, path: str, *, most: int | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """The messages of a list that goes on by cursor, at most so many, page by page."""
        left, cursor = most, ""
        while left is None or left > 0:
            page = self.get(path, limit=PAGE if left is None else min(PAGE, left), cursor=cursor, **query)
            yield from page["items"]
            if left is not None:
                left -= len(page["items"])
            cursor = page["next"] or ""
            if not cursor:
                return

    @contextmanager
    def events(self, path: str, *, silence: float | None = None, **query: Any) -> Iterator[Iterator[tuple[str, str]]]:
        """A stream of server-sent events: their names and data, until the server ends it.

        A stream that is silent for longer than `silence` seconds (None: the time limit) ends with a Failure.
        """
        target = PREFIX + _with_query(path, query)
        response = self._each(lambda url: self._open(url, "GET", target, None))
        try:
            assert self._connection is not None
            if self._connection.sock is not None:
                self._connection.sock.settimeout(silence or self.time_limit)
            yield _read_events(response, self.url)
        finally:
            response.close()
            self.close()

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _decoded(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        answer = self._ask(method, PREFIX + path, body)
        if not answer.data:
            return None
        try:
            return json.loads(answer.data)
        except ValueError as error:
            raise _no_interface(self.url, answer) from error

    def _ask(self, method: str, target: str, body: Mapping[str, Any] | None) -> _Answer:
        def attempt(url: str) -> _Answer:
            response = self._open(url, method, target, body)
            try:
                answer = _read(response)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise _lost(url, error, reading=method == "GET") from error
            self._used = time.monotonic()
            return answer

        return self._each(attempt)

    def _each(self, attempt: Callable[[str], T]) -> T:
        """Try one server after the other until one answers that may."""
        waiting = [self._at, *(url for url in self.urls if url != self._at)] if self._at else list(self.urls)
        asked: list[str] = []
        failure: Failure | None = None
        while waiting:
            url = waiting.pop(0)
            asked.append(url)
            try:
                found = attempt(url)
            except _NotConnectedError as error:
                failure = failure or _away(url, error.__cause__)
            except Failure as refusal:
                if not _is_standby(refusal):
                    raise
                failure = refusal
                active = refusal.facts.get("active_http")
                if self._follow and isinstance(active, str) and active not in asked and _may_follow(url, active):
                    waiting.insert(0, active)
            else:
                self._at = url
                return found
        assert failure is not None
        raise failure

    def _open(self, url: str, method: str, target: str, body: Mapping[str, Any] | None) -> http.client.HTTPResponse:
        """The beginning of an answer.  Raises _NotConnectedError if nothing was sent, Failure for a refusal."""
        data = None if body is None else json.dumps(body).encode()
        reading = method == "GET"
        for again in (False, True):
            rested = self._connection is not None and self._connected == url
            if rested and not reading and time.monotonic() - self._used > _FRESH:
                rested = False
            if not rested:
                self._connect(url)
            assert self._connection is not None
            try:
                self._connection.request(method, target, data, self._headers())
                response = self._connection.getresponse()
                if response.status < http.client.BAD_REQUEST:
                    return response
                answer = _read(response)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if rested and reading and not again:
                    continue
                raise _lost(url, error, reading=reading) from error
            _refuse(url, answer)
        raise AssertionError("the second attempt answers or raises")

    def _connect(self, url: str) -> None:
        self.close()
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.time_limit)
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise Failure(f"{url} has no TLS that can be trusted: {error}", AWAY) from error
        except OSError as error:
            raise _NotConnectedError from error
        self._connection, self._connected = connection, url

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json, */*", "Content-Type": "application/json"}
        if self.login is not None:
            pair = f"{self.login.user}:{self.login.password}".encode("utf-8", "surrogateescape")
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return headers


def _read(response: http.client.HTTPResponse) -> _Answer:
    return _Answer(response.status, response.headers.get_content_type(), response.read())


def _refuse(url: str, answer: _Answer) -> NoReturn:
    """Raise what a problem document says."""
    try:
        problem = json.loads(answer.data)
        text, code, facts = str(problem["detail"]), str(problem["code"]), dict(problem["facts"])
    except (ValueError, TypeError, KeyError):
        raise _no_interface(url, answer) from None
    if answer.status == http.client.UNAUTHORIZED:
        text = f"{url} refuses the login: {text}"
    raise Failure(text, AWAY if answer.status == http.client.SERVICE_UNAVAILABLE else REFUSED, code, facts)


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items() if value}
    try:
        return f"{path}?{urlencode(given)}" if given else path
    except UnicodeEncodeError as error:
        raise Failure(f"what is asked for is not Unicode: {error.object!r}", AWAY) from None


def _is_standby(failure: Failure) -> bool:
    return failure.exit_code == AWAY and "active" in failure.facts


def _may_follow(url: str, active: str) -> bool:
    return urlsplit(url).scheme == "http" and urlsplit(active).scheme in {"http", "https"}


def _away(url: str, error: BaseException | None) -> Failure:
    return Failure(
        f"no server answers at {url} ({_reason(error)}); `rmimom-server status` says whether one runs on its machine",
        AWAY,
        "connection-failed",
    )


def _lost(url: str, error: BaseException, *, reading: bool) -> Failure:
    rest = "" if reading else "; whether the order was carried out is not known: look before you repeat it"
    return Failure(f"the server at {url} did not answer ({_reason(error)}){rest}", AWAY, "connection-failed")


def _no_interface(url: str, answer: _Answer) -> Failure:
    return Failure(
        f"what answers at {url} is no HTTP interface of rmimom: status {answer.status}, {answer.media_type}", AWAY
    )


def _reason(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _read_events(response: http.client.HTTPResponse, url: str) -> Iterator[tuple[str, str]]:
    name = "message"
    data: list[str] = []
    while True:
        try:
            line = response.readline(_LONGEST_LINE)
        except (OSError, http.client.HTTPException) as error:
            raise _lost(url, error, reading=True) from error
        if not line:
            return
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        elif text.startswith("event:"):
            name = text[6:].strip()
        elif text.startswith("data:"):
            data.append(text[5:].removeprefix(" "))
