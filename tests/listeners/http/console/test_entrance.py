"""Logging in to the console and out of it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from support.console import Visitor, visitor
from support.http import NOBODY, VIEWER, Room, in_room

from rmimom.listeners.http.sessions import IDLE
from rmimom.listeners.http.throttle import ATTEMPTS


def test_a_stranger_is_asked_for_a_login_and_gets_where_they_wanted() -> None:
    async def conversation(room: Room) -> None:
        stranger = Visitor(room)
        response = await stranger.client.get("/queues?filter=a&page=2")
        assert response.status_code == 303
        page = await stranger.get(response.headers["location"])
        [place] = page.every("input", name="next")
        assert place["value"] == "/queues?filter=a&page=2"
        page = await stranger.send("/login", {"user": "vic", "password": "secret", "next": place["value"]})
        assert page.response.url.raw_path == b"/queues?filter=a&page=2"
        assert "vic" in page.text
        # Who is in does not have to log in again.
        assert (await stranger.client.get("/login?next=/topics")).headers["location"] == "/topics"

    in_room(conversation)


@pytest.mark.parametrize(
    "place", ["//evil.example", "/\\evil.example", "https://evil.example/", "/a\r\nSet-Cookie: x=y", "", "javascript:x"]
)
def test_a_login_leads_nowhere_else(place: str) -> None:
    async def conversation(room: Room) -> None:
        stranger = Visitor(room)
        page = await stranger.get(f"/login?next={quote(place, safe='')}")
        assert page.every("input", name="next")[0]["value"] == "/"
        response = await stranger.client.post("/login", data={"user": "vic", "password": "secret", "next": place})
        assert response.headers["location"] == "/"

    in_room(conversation)


def test_the_cookie_is_out_of_reach() -> None:
    async def conversation(room: Room) -> None:
        stranger = Visitor(room)
        form = {"user": "vic", "password": "secret"}
        cookie = (await stranger.client.post("/login", data=form)).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie.replace("rmimom", "")
        response = await stranger.client.post("/login", data=form, headers={"X-Forwarded-Proto": "https"})
        assert "; secure" in response.headers["set-cookie"].lower()

    in_room(conversation)


def test_a_wrong_password_is_told_and_throttled() -> None:
    async def conversation(room: Room) -> None:
        stranger = Visitor(room)
        await stranger.get("/login")
        for _ in range(ATTEMPTS):
            page = await stranger.send("/login", {"user": "<b>vic", "password": "wrong"}, expect=401)
            assert "wrong" in page.text
            assert page.every("input", name="user")[0]["value"] == "<b>vic"
        page = await stranger.send("/login", {"user": "vic", "password": "secret"}, expect=429)
        assert "try again in 60 s" in page.text
        assert page.response.headers["retry-after"] == "60"
        room.clock.advance(61_000)
        await stranger.send("/login", {"user": "vic", "password": "secret"})

    in_room(conversation)


def test_a_user_without_a_role_stays_outside() -> None:
    async def conversation(room: Room) -> None:
        stranger = Visitor(room)
        await stranger.get("/login")
        page = await stranger.send("/login", {"user": NOBODY[0], "password": NOBODY[1]}, expect=403)
        assert "no role" in page.text
        assert len(room.gate.sessions) == 0

    in_room(conversation)


def test_logging_out_ends_the_session() -> None:
    async def conversation(room: Room) -> None:
        vic = await visitor(room, VIEWER)
        assert len(room.gate.sessions) == 1
        page = await vic.send("/logout")
        assert page.response.url.path == "/login"
        assert len(room.gate.sessions) == 0
        assert (await vic.client.get("/queues")).status_code == 303

    in_room(conversation)


def test_an_expired_session_leads_to_the_login_and_back() -> None:
    async def conversation(room: Room) -> None:
        vic = await visitor(room)
        await vic.get("/queues")
        room.clock.advance(IDLE)
        response = await vic.client.post(
            "/queues", data={"name": "q"}, headers={"Referer": "http://rmimom/queues?page=2"}
        )
        assert response.headers["location"] == "/login?next=%2Fqueues%3Fpage%3D2"
        response = await vic.client.post("/queues", data={"name": "q"}, headers={"Referer": "http://evil.example/x"})
        assert response.headers["location"] == "/login"
        response = await vic.client.get(
            "/queues", headers={"HX-Request": "true", "HX-Current-URL": "http://rmimom/topics?filter=x"}
        )
        assert (response.status_code, response.headers["hx-redirect"]) == (401, "/login?next=%2Ftopics%3Ffilter%3Dx")
        assert room.engine.broker.state.places == {} or all(
            place.destination.is_system for place in room.engine.broker.state.places.values()
        )

    in_room(conversation)


def test_a_login_from_another_site_is_refused() -> None:
    async def conversation(room: Room) -> None:
        stranger = Visitor(room)
        form = {"user": "vic", "password": "secret"}
        response = await stranger.client.post("/login", data=form, headers={"Origin": "http://evil.example"})
        assert response.status_code == 403
        assert "set-cookie" not in response.headers

    in_room(conversation)


def test_the_cookie_is_good_for_reading_the_interface_and_for_nothing_else() -> None:
    async def conversation(room: Room) -> None:
        admin = await visitor(room)
        assert (await admin.client.get("/api/v1/queues")).status_code == 200
        assert (await admin.client.post("/api/v1/queues", json={"name": "q"})).status_code == 401
        assert (await admin.client.delete("/api/v1/queues/q")).status_code == 401

    in_room(conversation)
