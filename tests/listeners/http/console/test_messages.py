"""Browsing, searching and looking at messages in the console."""

from __future__ import annotations

import pytest
from support.console import Visitor, at_console
from support.http import VIEWER, Room

from rmimom.commands import Purge
from rmimom.core.state import SERVER
from rmimom.destination import Queue

MARKUP = "</pre><script>alert('body')</script><img src=x onerror=alert(1)>"


def ids(visitor: Visitor) -> list[str]:
    """The messages that the last page lists."""
    assert visitor.last is not None
    return [row["data-key"] for row in visitor.last.every("tr") if "data-key" in row]


def test_a_queue_is_browsed_to_its_end_without_consuming() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a", "count": 60})
        page = await vic.get("/queues/q/messages?limit=25")
        seen = ids(vic)
        while following := page.every("a", rel="next"):
            page = await vic.get(following[0]["href"])
            seen += ids(vic)
        assert len(seen) == len(set(seen)) == 60
        assert "the queue holds 60" in page.text
        # A place far behind the end, and one that a person chose.
        page = await vic.get("/queues/q/messages?cursor=4-999999999999999")
        assert "Here the queue ends." in page.text
        await vic.get(f"/queues/q/messages?priority=4&after={seen[49]}")
        assert ids(vic) == seen[50:]
        for wrong in ("x", "4-", "4-" + "9" * 40):
            await vic.get(f"/queues/q/messages?cursor={wrong}", expect=400)
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 60

    at_console(conversation, VIEWER)


def test_messages_are_searched_by_selector_and_by_text() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        for colour in ("red", "blue"):
            await room.post(
                "/queues/q/messages", {"body": f"The {colour} one", "properties": {"colour": colour}, "count": 2}
            )
        everything = await vic.get("/queues/q/messages")
        assert len(ids(vic)) == 4
        await vic.get("/queues/q/messages", params={"selector": "colour = 'red'"})
        red = ids(vic)
        assert len(red) == 2
        await vic.get("/queues/q/messages", params={"text": "RED ONE"})
        assert ids(vic) == red
        page = await vic.get("/queues/q/messages", params={"text": "green"})
        assert "No message matches." in page.text
        assert everything.every("td", data_label="Body")

    at_console(conversation, VIEWER)


def test_a_wrong_selector_is_shown_with_its_place() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues", {"name": "q"})
        wrong = "colour = = <script>"
        page = await vic.get("/queues/q/messages", params={"selector": wrong}, expect=400)
        assert "the selector is wrong at column 10" in page.text
        assert f"{'colour = = &lt;script&gt;'}\n{' ' * 9}^</pre>" in page.source
        assert page.every("input", name="selector")[0]["value"] == wrong
        page = await vic.get("/queues/q/messages", params={"selector": "a\n= ="}, expect=400)
        assert not page.every("pre")

    at_console(conversation, VIEWER)


def test_a_message_is_shown_whole() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post(
            "/queues/q/messages",
            {
                "body": '{"b": 1e400, "a": [1, {}]}',
                "properties": {"n": {"short": 3}, "s": MARKUP, "t": True, "f": 0.5, "x": {"double": "nan"}},
                "priority": 9,
                "correlation_id": MARKUP,
                "reply_to": "topic://answers",
                "type": "order",
                "time_to_live": 60,
            },
        )
        await vic.get("/queues/q/messages")
        [number] = ids(vic)
        page = await vic.get(f"/queues/q/messages/{number}")
        for words in (
            "Priority 9",
            "Reply to topic://answers",
            "Type order",
            "n short 3",
            "t boolean true",
            "f double 0.5",
            "x double nan",
            "State ready",
            "Delivery mode persistent",
        ):
            assert words in page.text, words
        assert MARKUP not in page.source
        # The order and the spelling of what was sent, with indentation.
        assert '{\n  "b": 1e400,\n  "a": [\n    1,\n    {}\n  ]\n}</pre>' in page.source.replace("&#34;", '"')
        page = await vic.get(f"/queues/q/messages/{number}?body=text")
        assert '{"b": 1e400, "a": [1, {}]}' in page.text
        page = await vic.get(f"/queues/q/messages/{number}?body=hex")
        assert "00000000  7b 22 62 22" in page.source
        await vic.get(f"/queues/q/messages/{number}?body=nothing", expect=400)
        # Expired by now.
        room.clock.advance(61_000)
        await vic.get("/queues/q/messages")
        assert ids(vic) == []

    at_console(conversation, VIEWER)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"body": MARKUP}, "</pre><script>"),
        ({"body": {"a": MARKUP}}, '{\n  "a": "</pre>'),
        ({"body": [1, "x"]}, "[\n  1,\n"),
        ({"body": "AP/+", "kind": "bytes"}, "00000000  00 ff fe"),
        ({"body": None}, "This message has no body."),
        ({"body": "", "kind": "text"}, ""),
        ({"body": "<a><b>x</b><c/></a>"}, "<a>\n  <b>x</b>\n  <c/>\n</a>"),
        ({"body": "x" * 100_000}, "This is the beginning of 97.7 KiB."),
        ({"body": "\x00\x1b[31m\u202e"}, "\x1b[31m"),
        ({"body": "\n\nx"}, "\n\nx"),
    ],
)
def test_bodies_are_shown_and_never_executed(message: dict[str, object], shown: str) -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues/q/messages", message)
        page = await vic.get("/queues/q/messages")
        [number] = ids(vic)
        page = await vic.get(f"/queues/q/messages/{number}")
        assert shown in "".join(page.words)
        assert not page.every("script") or all("src" in script for script in page.every("script"))
        response = await vic.client.get(f"/queues/q/messages/{number}/body")
        assert response.headers["content-disposition"].startswith("attachment")
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["x-content-type-options"] == "nosniff"
        if isinstance(message["body"], str) and message.get("kind") != "bytes":
            assert response.content.decode() == message["body"]

    at_console(conversation, VIEWER)


def test_more_of_a_large_body_is_shown_when_asked_for() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "x" * 100_000 + "end"})
        await vic.get("/queues/q/messages")
        [number] = ids(vic)
        page = await vic.get(f"/queues/q/messages/{number}")
        assert "xend" not in page.text
        [more] = [link for link in page.links if "bytes=" in link]
        assert "xend" in (await vic.get(more)).text

    at_console(conversation, VIEWER)


def test_a_message_that_was_consumed_meanwhile_has_a_plain_page() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a"})
        page = await olga.get("/queues/q/messages")
        [link] = {link for link in page.links if link.startswith("/queues/q/messages/")}
        await room.engine.submit(Purge(SERVER, Queue("q")))
        for path in (link, f"{link}/body", f"{link}/edit"):
            page = await olga.get(path, expect=404, headers={"Referer": "http://rmimom/queues/q/messages"})
            assert "(any more): it was consumed, moved, or has expired" in page.text
            assert "/queues/q/messages" in page.links
        page = await olga.send(
            "/queues/q/select", {"order": "remove", "id": link.rpartition("/")[2], "confirmed": "yes"}
        )
        assert "0 messages deleted; 1 of those chosen stayed" in page.text
        for wrong in ("x", "-1", "9" * 50, "%3Cb%3E"):
            await olga.get(f"/queues/q/messages/{wrong}", expect=404)

    at_console(conversation)
