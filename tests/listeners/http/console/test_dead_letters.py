"""The page of dead letters."""

from __future__ import annotations

import pytest
from support.console import Visitor, at_console
from support.http import VIEWER, Room

from rmimom.commands import Connect, Release, Subscribe
from rmimom.core.place import QueuePlace
from rmimom.destination import Queue
from rmimom.listeners.http.console import dead_letters


async def bury(room: Room, queue: str, reason: str, number: int) -> None:
    """Let messages of a queue become dead letters."""
    await room.post(f"/queues/{queue}/messages", {"body": reason, "count": number})
    await room.engine.submit(Connect(reason, "ann"))
    await room.engine.submit(Subscribe(reason, 1, Queue(queue), prefetch=100))
    place = room.engine.broker.state.places[Queue(queue)]
    assert isinstance(place, QueuePlace)
    tags = list(place.mailbox.consumers[0].held)
    await room.engine.submit(Release(reason, 1, tags, dead=True, reason=reason, close=True))


def test_dead_letters_are_counted_by_origin_and_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "LOOKED_AT", 4)

    async def conversation(room: Room, vic: Visitor) -> None:
        page = await vic.get("/dead-letters")
        assert "There are no dead letters." in page.text
        await bury(room, "q", "<b>no such article", 2)
        await bury(room, "q", "disk full", 3)
        await bury(room, "other", "x", 1)
        await room.post("/queues/DLQ.other/messages", {"body": "sent by hand"})
        page = await vic.get("/dead-letters")
        assert "queue://q <b>no such article 2" in page.text
        assert "queue://q disk full 2" in page.text
        assert "Counted among the first 4 of 5." in page.text
        assert "queue://other x 1" in page.text
        assert "– sent here 1" in page.text
        assert [row["data-key"] for row in page.every("section", class_="dead-queue")] == ["DLQ.other", "DLQ.q"]
        assert "/queues/DLQ.q/messages" in page.links
        assert not page.every("form", action="/queues/DLQ.q/select")

    at_console(conversation, VIEWER)


def test_all_of_a_queue_are_sent_back() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await bury(room, "q", "bad", 3)
        page = await olga.get("/dead-letters")
        assert page.every("form", action="/queues/DLQ.q/select")
        fields = {"order": "retry", "which": "matching", "next": "/dead-letters"}
        page = await olga.send("/queues/DLQ.q/select", fields, expect=200)
        assert "Send about 3 messages back?" in page.text
        page = await olga.send("/queues/DLQ.q/select", {**fields, "confirmed": "yes"})
        assert page.response.url.path == "/dead-letters"
        assert "3 messages sent back to where they came from" in page.text
        assert "There are no dead letters." in page.text
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 3

    at_console(conversation)
