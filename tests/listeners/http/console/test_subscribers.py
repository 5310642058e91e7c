"""Subscribers in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import VIEWER, Room

from rmimom.commands import Connect, Subscribe
from rmimom.destination import Topic


def test_subscriptions_are_listed_by_state_and_topic() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/subscriptions", {"topic": "t", "client_id": "<b>ann", "name": "off"})
        await room.engine.submit(Connect("c", "bob", "bob"))
        await room.engine.submit(Subscribe("c", 1, Topic("t"), durable="on"))
        await room.engine.submit(Subscribe("c", 2, Topic("u.*")))
        page = await vic.get("/subscribers")
        for words in ("offline durable", "active durable", "non-durable", "<b>ann", "u.*"):
            assert words in page.text
        assert len(page.every("tr")) == 4
        for state, number in (("active", 1), ("offline", 1), ("not-durable", 1), ("all", 3)):
            page = await vic.get(f"/subscribers?state={state}")
            assert f"{number} subscription" in page.text
        page = await vic.get("/subscribers?topic=t&state=offline")
        assert "1 subscription" in page.text
        # What was chosen stays when the list is sorted or filtered.
        assert "/subscribers?sort=topic&topic=t&state=offline" in {
            link.replace("state=offline&topic=t", "topic=t&state=offline") for link in page.links
        }
        assert page.every("input", name="topic", type="hidden")[0]["value"] == "t"
        await vic.get("/subscribers?state=nothing", expect=400)
        page = await vic.get("/subscribers?topic=nothing")
        assert "No subscription is like that." in page.text

    at_console(conversation, VIEWER)


def test_a_durable_subscription_is_made_and_deleted() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await olga.get("/subscribers")
        fields = {"topic": "t", "name": "s", "client_id": "ann", "selector": "x = 1"}
        page = await olga.send("/subscribers", fields)
        assert "the durable subscription s of t was made" in page.text
        assert "Selector x = 1" in page.text
        await olga.send("/subscribers", fields, expect=409)
        page = await olga.send("/subscribers", {**fields, "name": "z", "selector": "x = = 1"}, expect=400)
        assert "column" in page.text
        await olga.send("/subscribers", {**fields, "topic": "a b"}, expect=400)
        await room.post("/topics/t/messages", {"body": "a", "properties": {"x": 1}, "count": 2})
        page = await olga.get("/subscribers")
        [link] = [link for link in page.links if link.endswith("/delete")]
        page = await olga.get(link)
        assert "2 messages that wait for it will be deleted with it" in page.text
        page = await olga.send(link)
        assert "the subscription s of t was deleted" in page.text
        assert (await room.get("/subscriptions"))["total"] == 0
        await olga.get(link, expect=404)
        await olga.get("/subscribers/x", expect=404)

    at_console(conversation)


def test_a_viewer_changes_nothing() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        made = await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        page = await vic.get("/subscribers")
        assert not [link for link in page.links if link.endswith("/delete")]
        await vic.get(f"/subscribers/{made['id']}")
        await vic.send("/subscribers", {"topic": "t", "name": "x"}, expect=403)
        await vic.send(f"/subscribers/{made['id']}/delete", expect=403)
        assert (await room.get("/subscriptions"))["total"] == 1

    at_console(conversation, VIEWER)
