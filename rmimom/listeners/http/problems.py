"""Errors as problem documents (RFC 9457).

Every error of the tree has its status here; `Refusal` says another one where the place knows better.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from rmimom.errors import (
    ConfigurationError,
    ConnectionFailedError,
    IllegalStateError,
    InvalidClientIDError,
    InvalidDestinationError,
    InvalidSelectorError,
    JMSError,
    JMSSecurityError,
    MessageFormatError,
    MessageTooLargeError,
    ResourceAllocationError,
    StoreError,
    StoreFullError,
    TransactionInProgressError,
    TransactionRolledBackError,
)
from rmimom.replication import NotActiveError

MEDIA_TYPE: Final = "application/problem+json"

_STATUSES: Final[Mapping[type[JMSError], HTTPStatus]] = {
    InvalidDestinationError: HTTPStatus.NOT_FOUND,
    InvalidSelectorError: HTTPStatus.BAD_REQUEST,
    InvalidClientIDError: HTTPStatus.BAD_REQUEST,
    MessageFormatError: HTTPStatus.BAD_REQUEST,
    IllegalStateError: HTTPStatus.CONFLICT,
    TransactionInProgressError: HTTPStatus.CONFLICT,
    TransactionRolledBackError: HTTPStatus.CONFLICT,
    JMSSecurityError: HTTPStatus.FORBIDDEN,
    MessageTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    StoreFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    ResourceAllocationError: HTTPStatus.TOO_MANY_REQUESTS,
    NotActiveError: HTTPStatus.SERVICE_UNAVAILABLE,
    ConnectionFailedError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Problem(msgspec.Struct, frozen=True):
    """A problem document.

    `type` and `code` are stable, and `code` is that of the error tree or, for errors of HTTP itself, of the status.
    `facts` are the values that `detail` speaks of; `retryable` says whether the same request may succeed later.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool = False
    facts: dict[str, str | int | float | bool | None] = {}


class Refusal(Exception):  # noqa: N818 - it is the answer to a request, whose error stands in it
    """A request is refused with this status and error."""

    def __init__(self, status: HTTPStatus, error: JMSError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.text)
        self.status = status
        self.error = error
        self.headers = dict(headers or {})


def status_of(error: JMSError) -> HTTPStatus:
    """The status that goes with an error of the tree."""
    for kind in type(error).__mro__:
        if kind in _STATUSES:
            return _STATUSES[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: JMSError, status: HTTPStatus | None = None) -> Problem:
    """The document for an error of the tree."""
    status = status or status_of(error)
    return Problem(
        type=f"urn:rmimom:problem:{error.code}",
        title=status.phrase,
        status=status.value,
        detail=error.text.encode("utf-8", "backslashreplace").decode(),
        code=error.code,
        retryable=error.retryable or status is HTTPStatus.SERVICE_UNAVAILABLE,
        facts={
            name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
            for name, value in error.facts.items()
        },
    )


def plain_problem(status: int, detail: str = "") -> Problem:
    """The document for an error that HTTP itself knows."""
    known = HTTPStatus(status)
    code = known.phrase.lower().replace(" ", "-")
    return Problem(f"urn:rmimom:problem:{code}", known.phrase, status, detail or known.description, code)


def encode_problem(problem: Problem) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(problem)


def bad_request(text: str, **facts: str | int) -> Refusal:
    """The request cannot be understood."""
    return Refusal(HTTPStatus.BAD_REQUEST, MessageFormatError(text, **facts))


def not_found(text: str, **facts: str | int) -> Refusal:
    """What the request names is not there, or not any more."""
    return Refusal(HTTPStatus.NOT_FOUND, InvalidDestinationError(text, **facts))
