"""Style sheets, scripts and pictures, read once and kept in memory.

Pages ask for them under an address that holds a checksum, so browsers may keep them for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
"""What is served; other files of the folder, such as licences, are for who reads the sources."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"


class _File(NamedTuple):
    data: bytes
    media_type: str
    checksum: str


class StaticFiles:
    """The files of the folder `static`; see the module's text."""

    def __init__(self) -> None:
        self._files = dict(_read(files("rmimom.listeners.http.console") / "static", ""))

    def address(self, name: str) -> str:
        """Where pages find a file.  Raises KeyError for one that is not there."""
        return f"/static/{name}?v={self._files[name].checksum}"

    async def serve(self, request: Request) -> Response:
        """Answer with the file that the path names.  Raises HTTPException if there is none."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        tag = f'"{file.checksum}"'
        known = request.query_params.get("v") == file.checksum
        headers = {
            "ETag": tag,
            "Cache-Control": _FOR_EVER if known else _ASK_AGAIN,
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(file.data, headers=headers, media_type=file.media_type)


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif (media_type := MEDIA_TYPES.get(PurePosixPath(entry.name).suffix)) is not None:
            data = entry.read_bytes()
            yield prefix + entry.name, _File(data, media_type, hashlib.sha256(data).hexdigest()[:16])
