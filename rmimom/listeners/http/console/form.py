"""What a form sent: fields by name, some of them more than once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from rmimom.errors import MessageFormatError, MessageTooLargeError
from rmimom.listeners.http.problems import Refusal, bad_request

MOST_FIELDS: Final = 20_000
_SMALL: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form."""

    def __init__(self, fields: Sequence[tuple[str, str]] = ()) -> None:
        self._fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The first field of this name."""
        return next((value for field, value in self._fields if field == name), default)

    def all(self, name: str) -> list[str]:
        """Every field of this name, in the order of the page."""
        return [value for field, value in self._fields if field == name]

    def given(self, *names: str) -> dict[str, str]:
        """The fields of these names that were filled in."""
        return {name: value for name in names if (value := self.get(name))}


async def read_form(request: Request, most: int) -> Form:
    """Read the form of a request of at most so many bytes.  Raises Refusal or MessageTooLargeError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, MessageFormatError(f"the console's pages send forms as {_FORM}")
        )
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > most:
            raise MessageTooLargeError(f"the form is larger than {most} bytes", limit=most)
    data = b"".join(parts)
    try:
        # A large body takes a while, in which messages go on.
        return await asyncio.to_thread(_parse, data) if size > _SMALL else _parse(data)
    except ValueError as error:  # UnicodeDecodeError among them
        raise bad_request(f"the form cannot be read: {error}") from None


def _parse(data: bytes) -> Form:
    return Form(parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))


def csrf_token(session: str) -> str:
    """What the forms of a session hold so that a page of another site cannot send them: who has it has the session."""
    return hmac.new(session.encode(), b"rmimom console", hashlib.sha256).hexdigest()


def check_csrf(session: str, sent: str) -> None:
    """Raise Refusal unless a form came from a page of this session."""
    if not hmac.compare_digest(csrf_token(session).encode(), sent.encode("utf-8", "replace")):
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            MessageFormatError(
                "this form did not come from a page of your session, so nothing was done; "
                "open the page again and repeat what you did there"
            ),
        )
