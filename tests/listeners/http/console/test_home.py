"""Home in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import VIEWER, Room


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
