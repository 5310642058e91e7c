"""Style sheets and scripts: found by their checksums, kept for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.console import Visitor
from support.http import Room, in_room

import rmimom.listeners.http.console
from rmimom.listeners.http.console.static_files import MEDIA_TYPES, StaticFiles

FOLDER = Path(rmimom.listeners.http.console.__file__).parent / "static"
FILES = sorted(
    path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file() and path.suffix in MEDIA_TYPES
)


def test_each_file_is_served_to_anybody() -> None:
    async def conversation(room: Room) -> None:
        stranger, files = Visitor(room).client, StaticFiles()
        for name in FILES:
            response = await stranger.get(files.address(name))
            assert response.status_code == 200
            assert response.content == (FOLDER / name).read_bytes()
            assert (
                response.headers["content-type"].partition(";")[0] == MEDIA_TYPES[Path(name).suffix].partition(";")[0]
            )
            assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert response.headers["x-content-type-options"] == "nosniff"
            tag = response.headers["etag"]
            response = await stranger.get(f"/static/{name}", headers={"If-None-Match": tag})
            assert (response.status_code, response.content) == (304, b"")
            # Under another address it may be another file tomorrow.
            response = await stranger.get(f"/static/{name}?v=old")
            assert response.headers["cache-control"] == "no-cache"

    in_room(conversation)


@pytest.mark.parametrize("name", ["nothing.css", "vendor/README.md", "../routes.py", "%2e%2e/routes.py", "", "vendor"])
def test_nothing_else_is_served(name: str) -> None:
    async def conversation(room: Room) -> None:
        response = await Visitor(room).client.get(f"/static/{name}")
        assert response.status_code == 404

    in_room(conversation)


def test_a_page_names_no_file_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        StaticFiles().address("nothing.css")
