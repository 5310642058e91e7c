"""Orders for one message, for those that were ticked, and for all that match."""

from __future__ import annotations

from typing import Any

import pytest
from support.console import Page, Visitor, at_console
from support.http import VIEWER, Room

from rmimom.commands import Connect, Release, Subscribe
from rmimom.core.place import QueuePlace
from rmimom.destination import Queue


async def messages(room: Room, queue: str) -> list[Any]:
    """What waits in a queue."""
    found: list[Any] = (await room.get(f"/queues/{queue}/messages"))["items"]
    return found


async def say_yes(visitor: Visitor, page: Page) -> Page:
    """Send the form of a page that asks."""
    fields: dict[str, list[str]] = {}
    for hidden in page.every("input", type="hidden"):
        fields.setdefault(hidden["name"], []).append(hidden["value"])
    [action] = {form["action"] for form in page.every("form") if form["action"] != "/logout"}
    return await visitor.send(action, fields)


@pytest.fixture
def fields() -> dict[str, Any]:
    return {"selector": "", "text": "", "next": "/queues/q/messages?limit=25", "to": ""}


@pytest.mark.parametrize(
    ("chosen", "number", "left"),
    [
        ({"which": "selected", "id": 0}, "1 message", ["b0", "a1", "b1"]),
        ({"which": "selected", "id": [0, 3]}, "2 messages", ["b0", "a1"]),
        ({"which": "matching", "selector": "x = 'a'"}, "2 messages", ["b0", "b1"]),
        ({"which": "matching", "text": "1"}, "2 messages", ["a0", "b0"]),
        ({"which": "matching", "text": "1", "selector": "x = 'b'"}, "1 message", ["a0", "b0", "a1"]),
        ({"which": "matching"}, "about 4 messages", []),
    ],
)
@pytest.mark.parametrize("order", ["remove", "move", "copy"])
def test_messages_are_chosen_counted_and_then_concerned(
    order: str, chosen: dict[str, Any], number: str, left: list[str], fields: dict[str, Any]
) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        for part in ("0", "1"):
            for letter in ("a", "b"):
                await room.post("/queues/q/messages", {"body": letter + part, "properties": {"x": letter}})
        listed = await messages(room, "q")
        sent = {**fields, **chosen, "order": order}
        if "id" in sent:
            wanted = sent["id"] if isinstance(sent["id"], list) else [sent["id"]]
            sent["id"] = [str(listed[index]["id"]) for index in wanted]
        if order != "remove":
            sent["to"] = "other" if order == "move" else "queue://other"
        await olga.get("/queues/q/messages")
        page = await olga.send("/queues/q/select", sent, expect=200)
        assert number in page.text
        assert [one["preview"] for one in await messages(room, "q")] == ["a0", "b0", "a1", "b1"]
        page = await say_yes(olga, page)
        assert page.response.url.query == b"limit=25"
        rest = [one["preview"] for one in await messages(room, "q")]
        assert rest == (["a0", "b0", "a1", "b1"] if order == "copy" else left)
        if order != "remove":
            gone = [one for one in ["a0", "b0", "a1", "b1"] if one not in left]
            assert [one["preview"] for one in await messages(room, "other")] == gone
            assert "to queue://other" in page.text

    at_console(conversation)


def test_dead_letters_are_sent_back_one_or_all() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a", "count": 3})
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Queue("q"), prefetch=10))
        place = room.engine.broker.state.places[Queue("q")]
        assert isinstance(place, QueuePlace)
        tags = list(place.mailbox.consumers[0].held)
        await room.engine.submit(Release("c", 1, tags, dead=True, reason="<b>broken</b>", close=True))
        page = await olga.get("/queues/DLQ.q/messages")
        assert "queue://q" in page.text
        assert "<b>broken</b>" in page.text
        listed = await messages(room, "DLQ.q")
        page = await olga.get(f"/queues/DLQ.q/messages/{listed[0]['id']}")
        assert "Cause <b>broken</b>" in page.text
        sent = {"order": "retry", "which": "selected", "id": str(listed[0]["id"])}
        page = await say_yes(olga, await olga.send("/queues/DLQ.q/select", sent, expect=200))
        assert "1 message sent back" in page.text
        assert len(await messages(room, "DLQ.q")) == 2
        page = await olga.send("/queues/DLQ.q/select", {"order": "retry", "which": "matching"}, expect=200)
        page = await say_yes(olga, page)
        assert "2 messages sent back" in page.text
        assert await messages(room, "DLQ.q") == []

    at_console(conversation)


def test_messages_are_made_dead_letters_and_sent_back() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a", "count": 2})
        first, second = await messages(room, "q")
        await olga.get(f"/queues/q/messages/{first['id']}")
        sent = {"order": "bury", "which": "selected", "id": str(first["id"])}
        page = await olga.send("/queues/q/select", sent, expect=200)
        assert "Make 1 message dead?" in page.text
        page = await say_yes(olga, page)
        assert "1 message made dead letters" in page.text
        assert [one["id"] for one in await messages(room, "q")] == [second["id"]]
        [dead] = await messages(room, "DLQ.q")
        assert dead["dead_letter"]["reason"] == "buried by hand"
        sent = {"order": "retry", "which": "matching"}
        await say_yes(olga, await olga.send("/queues/DLQ.q/select", sent, expect=200))
        assert [one["id"] for one in await messages(room, "q")] == [first["id"], second["id"]]

    at_console(conversation)


def test_an_order_that_says_too_little_is_explained(fields: dict[str, Any]) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a"})
        [one] = await messages(room, "q")
        await olga.get("/queues/q/messages")
        page = await olga.send("/queues/q/select", {**fields, "order": "remove", "which": "selected"})
        assert "no message was chosen" in page.text
        page = await olga.send("/queues/q/select", {**fields, "order": "move", "id": str(one["id"])})
        assert "say where the messages are to be moved" in page.text
        for wrong in (
            {"order": "explode", "id": "1"},
            {"order": "remove", "id": "x"},
            {"order": "move", "id": "1", "to": "queue://q", "confirmed": "yes"},
            {"order": "move", "id": "1", "to": "topic://t", "confirmed": "yes"},
            {"order": "move", "id": "1", "to": "queue://a b", "confirmed": "yes"},
            {"order": "copy", "id": "1", "to": "queue://rmimom.x", "confirmed": "yes"},
            {"order": "remove", "which": "matching", "selector": "= 1"},
        ):
            await olga.send("/queues/q/select", {**fields, **wrong}, expect=400)
        await olga.send("/queues/nothing/select", {**fields, "order": "remove", "which": "matching"}, expect=404)
        assert len(await messages(room, "q")) == 1

    at_console(conversation)


def test_a_viewer_gives_no_orders(fields: dict[str, Any]) -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a"})
        [one] = await messages(room, "q")
        page = await vic.get("/queues/q/messages")
        assert not page.every("input", type="checkbox", name="id")
        sent = {**fields, "order": "remove", "id": str(one["id"]), "confirmed": "yes"}
        await vic.send("/queues/q/select", sent, expect=403)
        assert len(await messages(room, "q")) == 1

    at_console(conversation, VIEWER)
