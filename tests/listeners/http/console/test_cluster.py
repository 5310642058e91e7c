"""Home, the cluster and the users in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import ADMIN, OPERATOR, VIEWER, Room

from rmimom.errors import IllegalStateError


def test_home_tells_how_the_server_is_and_what_to_do() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        room.view.cluster.exists = True
        await room.post("/queues/DLQ.q/messages", {"body": "a"})
        await room.post("/queues", {"name": "q"})
        for _ in range(3):
            room.clock.advance(1000)
            await room.sampler.sample()
        page = await vic.get("/")
        for words in ("Version 1", "Role active", "Epoch 3", "Uptime 1 s", "Standby b:1 in sync", "Queues 2"):
            assert words in page.text, words
        assert "1 messages wait among the dead letters" in page.text
        assert "then send them back (retry), or remove them" in page.text
        assert page.every("figure", data_chart="depth")
        assert len(page.every("tr")) == 2 * (1 + 3)
        room.view.cluster.standby_in_sync = False
        page = await vic.get("/")
        assert "Standby b:1 behind" in page.text
        assert "a standby does not have everything" in page.text

    at_console(conversation, VIEWER)


def test_a_server_alone_says_so() -> None:
    async def conversation(room: Room, admin: Visitor) -> None:
        page = await admin.get("/cluster")
        assert "This server is alone" in page.text
        del room

    at_console(conversation, ADMIN)


def test_administrators_switch_over() -> None:
    async def conversation(room: Room, admin: Visitor) -> None:
        room.view.cluster.exists = True
        page = await admin.get("/cluster")
        assert "s2 b:1 console standby yes" in page.text
        assert "/cluster/promote" not in page.links
        [link] = [link for link in page.links if "to=s2" in link]
        page = await admin.get(link)
        assert "Let s2 become active?" in page.text
        assert room.view.cluster.orders == []
        assert page.every("input", name="to")[0]["value"] == "s2"
        page = await admin.send("/cluster/switchover", {"to": "s2"})
        assert "another server is active now" in page.text
        await admin.get("/cluster/switchover")
        await admin.send("/cluster/switchover", {"to": ""})
        assert room.view.cluster.orders == ["s2", None]

        async def refuse(to: str | None = None) -> dict[str, object]:
            raise IllegalStateError(f"no standby {to} is in sync")

        room.view.cluster.switch_over = refuse  # type: ignore[method-assign]
        page = await admin.send("/cluster/switchover", {"to": "s9"}, expect=409)
        assert "no standby s9 is in sync" in page.text

    at_console(conversation, ADMIN)


def test_a_standby_is_promoted_by_administrators_only() -> None:
    async def conversation(room: Room, admin: Visitor) -> None:
        room.view.cluster.exists = True
        room.view.is_active = False
        page = await admin.get("/cluster")
        assert "This server is a standby." in page.text
        assert "/cluster/promote" in page.links
        page = await admin.get("/cluster/promote")
        assert "lost for good" in page.text
        page = await admin.send("/cluster/promote")
        assert room.view.cluster.orders == [True]

    at_console(conversation, ADMIN)


def test_operators_do_not_steer_the_cluster() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        room.view.cluster.exists = True
        page = await olga.get("/cluster")
        assert not [link for link in page.links if "switchover" in link]
        for path in ("/cluster/switchover", "/cluster/promote"):
            await olga.get(path, expect=403)
            await olga.send(path, expect=403)
        await olga.get("/users", expect=403)
        await olga.send("/users", {"name": "x", "password": "y", "again": "y"}, expect=403)
        assert room.view.cluster.orders == []

    at_console(conversation, OPERATOR)


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
