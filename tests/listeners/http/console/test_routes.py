"""Every page and form: who is let in, and what a form has to hold."""

from __future__ import annotations

import pytest
from support.console import visitor
from support.http import ADMIN, OPERATOR, VIEWER, Room, in_room

from rmimom.listeners.http.console.routes import PAGES
from rmimom.listeners.http.console.visit import PageRoute
from rmimom.roles import may_act_as

BY_ROLE = {"viewer": VIEWER, "operator": OPERATOR, "admin": ADMIN}


def path_of(page: PageRoute) -> str:
    """A path of the page, with names of nothing that is there."""
    return page.path.replace("{name}", "nothing").replace("{id}", "99")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.method} {page.path}")
def test_each_page_asks_for_a_session_its_role_and_its_token(page: PageRoute) -> None:
    async def conversation(room: Room) -> None:
        response = await room.client.request(page.method, path_of(page))
        assert response.status_code == 303
        assert response.headers["location"].startswith("/login")
        for role, who in BY_ROLE.items():
            if page.path == "/logout":
                continue
            someone = await visitor(room, who)
            assert someone.last is not None
            if page.method == "POST":
                response = await someone.client.post(path_of(page), data={"x": "y"})
                assert response.status_code == 403
                assert "nothing was done" in response.text
                response = await someone.client.post(path_of(page), data={"csrf": someone.last.csrf})
            else:
                response = await someone.client.get(path_of(page))
            allowed = may_act_as(role, page.role)
            assert (response.status_code == 403) == (not allowed), (role, response.text)
            assert response.status_code < 500, response.text

    in_room(conversation)


def test_what_a_viewer_may_do_changes_nothing() -> None:
    for page in PAGES:
        if page.method == "POST" and page.path != "/logout":
            assert page.role in {"operator", "admin"}, page.path
