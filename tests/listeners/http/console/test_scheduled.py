"""Scheduled and delayed messages in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import VIEWER, Room

EVERY_DAY = {"AMQ_SCHEDULED_CRON": "0 8 * * *"}


def ticked(visitor: Visitor) -> list[str]:
    """What the boxes of the last page stand for."""
    assert visitor.last is not None
    return [box["value"] for box in visitor.last.every("input", type="checkbox", name="id")]


def test_scheduled_messages_are_sent_now_and_deleted() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        page = await olga.get("/scheduled")
        assert "Nothing is scheduled." in page.text
        assert "No message is delayed." in page.text
        for name in ("q", "r"):
            await room.post(f"/queues/{name}/messages", {"body": "a", "properties": EVERY_DAY})
        page = await olga.get("/scheduled?filter=queue://q")
        assert "0 8 * * *" in page.text
        [one] = ticked(olga)
        page = await olga.send("/scheduled", {"order": "deliver", "id": one, "next": "/scheduled?filter=queue://q"})
        assert "1 scheduled message sent now" in page.text
        assert page.response.url.query == b"filter=queue://q"
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 1
        await olga.get("/scheduled")
        both = ticked(olga)
        assert len(both) == 2
        page = await olga.send("/scheduled", {"order": "remove", "id": both}, expect=200)
        assert "Delete 2 scheduled messages?" in page.text
        assert (await room.get("/scheduled"))["total"] == 2
        page = await olga.send("/scheduled", {"order": "remove", "id": both, "confirmed": "yes"})
        assert "2 scheduled messages deleted" in page.text
        assert (await room.get("/scheduled"))["total"] == 0
        page = await olga.send("/scheduled", {"order": "remove", "id": both, "confirmed": "yes"})
        assert "0 scheduled messages deleted; 2 of those chosen were not there any more" in page.text
        for path in ("/scheduled", "/delayed"):
            page = await olga.send(path, {"order": "remove"})
            assert "no message was chosen" in page.text
            await olga.send(path, {"order": "remove", "id": "x", "confirmed": "yes"}, expect=400)

    at_console(conversation)


def test_delayed_messages_are_delivered_now_and_deleted() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a", "delay": 3600, "count": 2})
        await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        await room.post("/topics/t/messages", {"body": "a", "delay": 7200})
        page = await olga.get("/scheduled")
        boxes = ticked(olga)
        assert [box.partition(" ")[2] for box in boxes] == ["queue://q", "queue://q", "topic://t"]
        [link] = {link for link in page.links if link.endswith(f"/messages/{boxes[0].partition(' ')[0]}")}
        assert "State delayed" in (await olga.get(link)).text
        page = await olga.send("/delayed", {"order": "deliver", "id": boxes[0]})
        assert "1 delayed message can be delivered now" in page.text
        assert (await room.get("/queues/q"))["statistics"]["delayed"] == 1
        page = await olga.send("/delayed", {"order": "remove", "id": boxes[1:]}, expect=200)
        assert "Delete 2 delayed messages?" in page.text
        assert (await room.get("/delayed"))["total"] == 2
        page = await olga.send("/delayed", {"order": "remove", "id": boxes[1:], "confirmed": "yes"})
        assert "2 delayed messages deleted" in page.text
        assert (await room.get("/delayed"))["total"] == 0
        await olga.send("/delayed", {"order": "remove", "id": "1 nowhere", "confirmed": "yes"}, expect=400)

    at_console(conversation)


def test_many_delayed_messages_have_pages() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a", "delay": 3600, "count": 150})
        page = await vic.get("/scheduled")
        assert "150 delayed messages, those due first first; page 1 of 2" in page.text
        assert not ticked(vic)
        [following] = [link["href"] for link in page.every("a", rel="next")]
        page = await vic.get(following)
        assert len([row for row in page.every("tr") if "data-key" in row]) == 50
        page = await vic.get("/scheduled?delayed=1000000000")
        assert "page 2 of 2" in page.text
        await vic.send("/delayed", {"order": "remove", "id": "1 queue://q", "confirmed": "yes"}, expect=403)
        await vic.send("/scheduled", {"order": "remove", "id": "1", "confirmed": "yes"}, expect=403)

    at_console(conversation, VIEWER)
