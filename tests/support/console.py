"""Somebody at the web console: reads pages, follows links and sends forms, as a browser without JavaScript does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from typing import Any

import httpx
from support.http import ADMIN, OPERATOR, Room, in_room

from rmimom.listeners.http.console.visit import HEADERS

VOID = {"meta", "link", "input", "br", "hr", "img", "wbr"}


class Page(HTMLParser):
    """A page as a browser sees it: its text, its elements with their attributes, and its forms."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(convert_charrefs=True)
        self.response = response
        self.status = response.status_code
        self.source = response.text
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.textareas: dict[int, str] = {}
        self._options: dict[int, str] = {}
        self.feed(self.source)
        self.close()
        assert self.open == [], f"elements are left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes another element at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open[-1:] == ["textarea"]:
            area = id(self.elements[-1][1])
            self.textareas[area] = self.textareas.get(area, "") + data
        elif self.open[-1:] == ["option"]:
            self._options[id(self.elements[-1][1])] = data

    def option(self, attributes: dict[str, str]) -> str:
        """What an option without a value stands for: its text."""
        return self._options[id(attributes)]

    @property
    def text(self) -> str:
        """All words of the page, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def every(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of all such elements; `data_x` stands for `data-x`."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in wanted.items())
        ]

    @property
    def links(self) -> list[str]:
        """Where links lead."""
        return [found["href"] for found in self.every("a") if "href" in found]

    @property
    def csrf(self) -> str:
        """What forms of this session hold."""
        return self.every("meta", name="csrf-token")[0]["content"]


class Visitor:
    """A browser with cookies of its own."""

    def __init__(self, room: Room) -> None:
        self.room = room
        # Without the cookies of others who use the same room.
        self.client = httpx.AsyncClient(transport=room.client._transport, base_url="http://rmimom")
        self.last: Page | None = None

    async def get(self, path: str, *, expect: int = 200, **more: Any) -> Page:
        """Read a page."""
        response = await self.client.get(path, **more)
        return self._take(response, expect)

    async def send(self, path: str, fields: dict[str, Any] | None = None, *, expect: int = 303, **more: Any) -> Page:
        """Send a form of the last page; its redirection is followed."""
        assert self.last is not None
        response = await self.client.post(path, data={"csrf": self.last.csrf, **(fields or {})}, **more)
        page = self._take(response, expect)
        if response.status_code == 303:
            return await self.get(response.headers["location"])
        return page

    async def log_in(self, who: tuple[str, str] = ADMIN) -> Page:
        """Begin a session."""
        await self.get("/login")
        return await self.send("/login", {"user": who[0], "password": who[1], "next": "/"})

    def _take(self, response: httpx.Response, expect: int) -> Page:
        assert response.status_code == expect, f"{response.request.url}: {response.status_code} {response.text[:2000]}"
        for name, value in HEADERS.items():
            assert response.headers[name] == value
        page = Page(response)
        if response.status_code != 303:
            self.last = page
            inert(page)
        return page


def inert(page: Page) -> None:
    """A page holds nothing that the content security policy would forbid."""
    assert page.response.headers["content-type"] == "text/html; charset=utf-8"
    for tag, attributes in page.elements:
        assert tag not in {"style", "iframe", "object", "embed"}, tag
        assert tag != "script" or attributes["src"].startswith("/static/")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            assert name not in {"href", "src", "action", "formaction"} or value.startswith(("/", "#", "http://")), value


async def visitor(room: Room, who: tuple[str, str] = ADMIN) -> Visitor:
    """Somebody who is logged in."""
    found = Visitor(room)
    await found.log_in(who)
    return found


def at_console(conversation: Callable[[Room, Visitor], Awaitable[None]], who: tuple[str, str] = OPERATOR) -> None:
    """A conversation of somebody who is logged in."""

    async def whole(room: Room) -> None:
        await conversation(room, await visitor(room, who))

    in_room(whole)
