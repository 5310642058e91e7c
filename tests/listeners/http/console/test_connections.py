"""Connections in the console."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import VIEWER, Room

from rmimom.commands import Connect, Subscribe
from rmimom.destination import Queue


async def one_client(room: Room) -> None:
    """A client that holds two messages."""
    await room.post("/queues/q/messages", {"body": "a", "count": 3})
    await room.engine.submit(Connect("secret-connection", "<i>ann", "desk"))
    await room.engine.submit(Subscribe("secret-connection", 1, Queue("q"), prefetch=2, selector="x IS NULL"))


def test_connections_and_their_consumers_are_shown() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        page = await vic.get("/connections")
        assert "Nobody is connected." in page.text
        await one_client(room)
        page = await vic.get("/connections?filter=desk")
        assert "<i>ann desk bare" in page.text
        assert "secret" not in page.source
        [link] = {link for link in page.links if link.startswith("/connections/")}
        page = await vic.get(link)
        assert "Messages held 2" in page.text
        assert "queue://q" in page.text
        assert "x IS NULL" in page.text
        # A destination shows its consumers, too.
        assert link in (await vic.get("/queues/q")).links
        page = await vic.get("/connections?filter=nothing")
        assert "No connection is like that." in page.text
        await vic.get("/connections/nothing", expect=404)
        await vic.send(f"{link}/close", expect=403)

    at_console(conversation, VIEWER)


def test_a_connection_is_closed_when_somebody_said_yes() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await one_client(room)
        page = await olga.get("/connections")
        [link] = [link for link in page.links if link.endswith("/close")]
        page = await olga.get(link)
        assert "1 consumer will be closed; 2 messages they hold will go back" in page.text
        assert (await room.get("/connections"))["total"] == 1
        page = await olga.send(link)
        assert "the connection of <i>ann desk was closed" in page.text
        assert (await room.get("/connections"))["total"] == 0
        assert (await room.get("/queues/q"))["statistics"]["held"] == 0
        await olga.send(link, expect=404)

    at_console(conversation)
