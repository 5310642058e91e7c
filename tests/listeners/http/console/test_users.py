"""Users in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import ADMIN, OPERATOR, Room


def test_administrators_keep_the_users() -> None:
    async def conversation(room: Room, admin: Visitor) -> None:
        page = await admin.get("/users")
        assert "olga operator" in page.text
        fields = {"name": "<u>/x", "password": "one", "again": "one", "role": "viewer"}
        page = await admin.send("/users", {**fields, "again": "two"}, expect=400)
        assert "not the same" in page.text
        await admin.send("/users", {**fields, "password": "", "again": ""}, expect=400)
        page = await admin.send("/users", fields)
        assert "the user <u>/x was added" in page.text
        await admin.send("/users", fields, expect=409)
        path = "/users/%3Cu%3E%2Fx"
        assert f"{path}/delete" in (await admin.get("/users")).links
        newcomer = Visitor(room)
        await newcomer.log_in(("<u>/x", "one"))
        page = await admin.send(path, {"role": "operator", "password": "", "again": ""})
        assert "role of <u>/x changed" in page.text
        await newcomer.get("/send")
        page = await admin.send(path, {"role": "operator", "password": "new", "again": "new"})
        assert "its sessions have ended" in page.text
        assert (await newcomer.client.get("/queues")).status_code == 303
        await admin.get(f"{path}/delete")
        page = await admin.send(f"{path}/delete")
        assert "the user <u>/x was removed" in page.text
        page = await admin.send("/users/admin/delete", expect=409)
        assert "cannot remove itself" in page.text
        await admin.send("/users/admin", {"role": "viewer"}, expect=409)

    at_console(conversation, ADMIN)


def test_operators_do_not_see_the_users() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        assert "/users" not in (await olga.get("/")).links
        await olga.get("/users", expect=403)
        await olga.send("/users", {"name": "x", "password": "y", "again": "y"}, expect=403)
        await olga.send("/users/admin/delete", expect=403)
        assert (await room.get("/users"))["total"] == 4

    at_console(conversation, OPERATOR)
