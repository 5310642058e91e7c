"""Sessions and the limit of wrong passwords."""

from __future__ import annotations

import pytest
from support.http import API, VIEWER, Room, in_room

from rmimom.clock import ManualClock
from rmimom.commands import RemoveUser
from rmimom.core.state import SERVER
from rmimom.errors import ResourceAllocationError
from rmimom.listeners.http.sessions import IDLE, LONGEST, Sessions
from rmimom.listeners.http.throttle import ATTEMPTS, WINDOW, Throttle


async def login(room: Room, user: str = "vic", password: str = "secret") -> dict[str, str]:
    """Log in; the header that the session is sent with."""
    answer = await room.post("/login", {"user": user, "password": password}, who=None, expect=201)
    return {"Authorization": f"Bearer {answer['token']}"}


async def status_with(room: Room, header: dict[str, str]) -> int:
    return (await room.client.get(f"{API}/me", headers=header)).status_code


def test_a_session_lasts_until_the_logout() -> None:
    async def conversation(room: Room) -> None:
        answer = await room.post("/login", {"user": "vic", "password": "secret"}, who=None, expect=201)
        assert (answer["user"], answer["role"], answer["ends"]) == ("vic", "viewer", room.clock.now() + IDLE)
        header = {"Authorization": f"bearer {answer['token']}"}
        assert (await room.client.get(f"{API}/me", headers=header)).json() == {"user": "vic", "role": "viewer"}
        assert (await room.client.post(f"{API}/logout", headers=header)).status_code == 204
        assert await status_with(room, header) == 401
        await room.post("/logout", who=VIEWER, expect=204)

    in_room(conversation)


def test_a_session_ends_with_the_password_and_the_user_and_follows_the_role() -> None:
    async def conversation(room: Room) -> None:
        header = await login(room)
        await room.view.users.change_role("vic", "operator")
        assert (await room.client.get(f"{API}/me", headers=header)).json()["role"] == "operator"
        await room.view.users.put("vic", "another")
        assert await status_with(room, header) == 401
        header = await login(room, password="another")
        await room.engine.submit(RemoveUser(SERVER, "vic"))
        assert await status_with(room, header) == 401

    in_room(conversation)


def test_the_token_of_the_data_directory_begins_a_session() -> None:
    async def conversation(room: Room) -> None:
        header = await login(room, "@local", "token")
        assert (await room.client.get(f"{API}/me", headers=header)).json() == {"user": "@local", "role": "admin"}

    in_room(conversation)


def test_wrong_passwords_have_to_wait() -> None:
    """Given too many wrong passwords, then even the right one has to wait, but not a session nor the local token."""

    async def conversation(room: Room) -> None:
        header = await login(room)
        for _ in range(ATTEMPTS):
            await room.post("/login", {"user": "vic", "password": "guess"}, who=None, expect=401)
        response = await room.client.post(f"{API}/login", json={"user": "vic", "password": "secret"})
        assert response.status_code == 429
        assert 0 < int(response.headers["retry-after"]) <= WINDOW // 1000
        await room.get("/me", who=VIEWER, expect=429)
        assert await status_with(room, header) == 200
        await room.get("/me", who=("@local", "token"), expect=200)
        room.clock.advance(WINDOW)
        await room.get("/me", who=VIEWER, expect=200)

    in_room(conversation)


def test_sessions_end_unused_and_after_a_day() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    token, _ = sessions.open("ann", b"")
    clock.advance(IDLE - 1)
    assert sessions.find(token) is not None
    clock.advance(IDLE)
    assert sessions.find(token) is None
    assert len(sessions) == 0
    token, began = sessions.open("ann", b"")
    for _ in range(LONGEST // (IDLE - 1)):
        clock.advance(IDLE - 1)
        assert sessions.find(token) is not None
    clock.advance(IDLE - 1)
    assert sessions.find(token) is None
    assert began.user == "ann"


def test_there_is_room_for_so_many_sessions_and_the_least_used_makes_way() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    tokens = []
    for _ in range(1000):
        tokens.append(sessions.open("ann", b"")[0])
        clock.advance(1)
    assert sessions.find(tokens[0]) is not None
    sessions.open("ann", b"")
    assert len(sessions) == 1000
    assert sessions.find(tokens[0]) is not None
    assert sessions.find(tokens[1]) is None


def test_the_throttle_forgets() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(ATTEMPTS - 1):
        throttle.failed("a")
        clock.advance(1000)
    throttle.check("a")
    throttle.failed("a")
    with pytest.raises(ResourceAllocationError, match="try again in 51 s"):
        throttle.check("a")
    throttle.check("b")
    clock.advance(WINDOW - (ATTEMPTS - 1) * 1000)
    throttle.check("a")
