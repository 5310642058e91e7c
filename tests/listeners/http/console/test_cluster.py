"""The cluster in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import ADMIN, OPERATOR, Room

from rmimom.errors import IllegalStateError


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
        assert room.view.cluster.orders == []

    at_console(conversation, OPERATOR)
