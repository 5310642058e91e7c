"""Queues and topics in the console."""

from __future__ import annotations

import asyncio

import pytest
from support.console import Visitor, at_console, visitor
from support.http import OPERATOR, VIEWER, Room, in_room

from rmimom.commands import Connect, Subscribe
from rmimom.destination import Queue

MARKUP = "<svg/onload=alert(1)&amp;"


def test_queues_have_the_columns_that_people_know() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/orders/messages", {"body": "a", "count": 3})
        page = await olga.get("/queues")
        heads = [
            "Name",
            "Number Of Pending Messages",
            "Number Of Consumers",
            "Messages Enqueued",
            "Messages Dequeued",
            "Views",
            "Operations",
        ]
        assert " ".join(heads) in page.text
        assert page.every("tr", data_key="orders") == [{"id": "row-orders", "data-key": "orders"}]
        assert [cell["data-field"] for cell in page.every("td") if "data-field" in cell] == [
            "pending",
            "consumers",
            "enqueued",
            "dequeued",
        ]
        assert "orders 3 0 3 0" in page.text
        assert "/queues/orders/messages" in page.links

    at_console(conversation)


def test_a_list_is_filtered_sorted_and_paged() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        for number in range(60):
            await room.post("/queues", {"name": f"q{number:02}"})
        await room.post("/queues/q07/messages", {"body": "a"})

        def names() -> list[str]:
            assert vic.last is not None
            return [row["data-key"] for row in vic.last.every("tr") if "data-key" in row]

        page = await vic.get("/queues")
        assert names() == [f"q{number:02}" for number in range(50)]
        assert "60 queues, page 1 of 2" in page.text
        [following] = [link["href"] for link in page.every("a", rel="next")]
        await vic.get(following)
        assert names() == [f"q{number:02}" for number in range(50, 60)]
        page = await vic.get("/queues?filter=Q0&sort=pending&order=desc&limit=25")
        assert names()[:2] == ["q07", "q00"]
        assert len(names()) == 10
        assert page.every("th", aria_sort="descending")
        # Beyond the end is the end, however far.
        for number in ("3", "1000000000", "9" * 30, "-1", "x", "9" * 5000):
            page = await vic.get(f"/queues?page={number}")
            assert "page 2 of 2" in page.text or "page 1 of 2" in page.text
        page = await vic.get("/queues?filter=nothing")
        assert "No queue's name holds this text." in page.text
        await vic.get("/queues?sort=nothing", expect=400)
        await vic.get("/queues?order=up", expect=400)
        await vic.get("/queues?filter=" + "x" * 1001, expect=400)

    at_console(conversation, VIEWER)


@pytest.mark.parametrize("kind", ["queue", "topic"])
@pytest.mark.parametrize(
    "name", ["orders", "a/b/../c", MARKUP, "prüfung.质量", "100%", "%2F", "a&b=c;d", "x" * 255, "(a)"]
)
def test_a_destination_is_made_shown_and_deleted(kind: str, name: str) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await olga.get(f"/{kind}s")
        page = await olga.send(f"/{kind}s", {"name": name})
        assert f"{kind} {name} was made" in page.text
        assert MARKUP not in page.source
        page = await olga.get(f"/{kind}s")
        [row] = [row for row in page.every("tr") if "data-key" in row]
        assert row["data-key"] == name
        [link] = [link for link in page.links if link.endswith("/delete")]
        page = await olga.get(link)
        [form] = [form["action"] for form in page.every("form") if form["action"] == link]
        page = await olga.send(form)
        assert f"{kind} {name} was deleted" in page.text
        assert (await room.get(f"/{kind}s"))["total"] == 0
        # Said once and not again.
        assert "was deleted" not in (await olga.get(f"/{kind}s")).text
        await olga.get(link, expect=404)
        await olga.send(form, expect=404)

    at_console(conversation)


@pytest.mark.parametrize("name", ["", " ", "a b", "a*", "x" * 256, "x" * 10_000, "rmimom.mine", "\x00"])
def test_a_wrong_name_is_refused_in_plain_words(name: str) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await olga.get("/queues")
        page = await olga.send("/queues", {"name": name}, expect=400)
        assert "name" in page.text
        del room

    at_console(conversation)


def test_a_queue_is_purged_when_somebody_said_yes() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a", "count": 3})
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Queue("q"), prefetch=1))
        page = await olga.get("/queues/q/purge")
        assert "2 messages will be removed" in page.text
        assert "1 message with consumers will stay" in page.text
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 3
        page = await olga.send("/queues/q/purge")
        assert "2 messages removed from queue q" in page.text
        assert "ann" in page.text
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 1
        # It has a consumer, so it stays.
        page = await olga.send("/queues/q/delete", expect=409)
        assert "consumer" in page.text

    at_console(conversation)


def test_a_queue_is_paused_and_resumed_from_where_one_is() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        await room.post("/queues", {"name": "q"})
        await olga.get("/queues?filter=q")
        page = await olga.send("/queues/q/pause", {"next": "/queues?filter=q"})
        assert page.response.url.raw_path == b"/queues?filter=q"
        assert "is paused" in page.text
        assert page.every("form", action="/queues/q/resume")
        page = await olga.send("/queues/q/resume", {"next": "//evil.example"})
        assert page.response.url.path == "/queues/q"
        assert "delivers again" in page.text
        assert not (await room.get("/queues/q"))["statistics"]["paused"]

    at_console(conversation)


def test_orders_need_the_token_of_the_session() -> None:
    async def conversation(room: Room) -> None:
        olga, other = await asyncio.gather(visitor(room, OPERATOR), visitor(room, OPERATOR))
        foreign = (await other.get("/queues")).csrf
        await olga.get("/queues")
        for token in ("", "x", "é", foreign):
            page = await olga.send("/queues", {"name": "q", "csrf": token}, expect=403)
            assert "nothing was done" in page.text
        response = await olga.client.post("/queues", data={"name": "q"})
        assert response.status_code == 403
        response = await olga.client.post("/queues", json={"name": "q"})
        assert response.status_code == 415
        await olga.send("/queues", {"name": "q"}, headers={"Origin": "http://evil.example"}, expect=403)
        assert (await room.get("/queues"))["total"] == 0

    in_room(conversation)


def test_a_viewer_sees_no_orders_and_gives_none() -> None:
    async def conversation(room: Room, vic: Visitor) -> None:
        await room.post("/queues/q/messages", {"body": "a"})
        page = await vic.get("/queues")
        assert [form["action"] for form in page.every("form", method="post")] == ["/logout"]
        assert not page.every("a", data_confirm="")
        for path in ("/queues", "/queues/q/purge", "/queues/q/delete", "/queues/q/pause", "/topics"):
            page = await vic.send(path, {"name": "x"}, expect=403)
            assert "this needs the role operator" in page.text
        await vic.get("/queues/q/purge", expect=403)
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 1

    at_console(conversation, VIEWER)


def test_a_standby_names_the_active_server() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        room.view.is_active = False
        room.view.active = "other.example:61611"
        for path in ("/queues", "/topics", "/queues/q"):
            page = await olga.get(path, expect=503)
            assert "the active one is other.example:61611" in page.text
            assert f"{room.view.active_http}/" in page.links
        room.view.active_http = ""
        assert "http://other.example/" in (await olga.get("/queues", expect=503)).links
        page = await olga.get("/")
        assert "standby" in page.text
        assert "http://other.example/" in page.links
        await olga.send("/queues", {"name": "q"}, expect=503)

    at_console(conversation)


@pytest.mark.parametrize(
    "path", ["/nothing", "/queues/nothing", "/queues/%ff", "/static/nothing", "/static/../page.py"]
)
def test_what_is_not_there_has_a_page_that_says_so(path: str) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        page = await olga.get(path, expect=400 if "ff" in path else 404)
        assert page.every("section", class_="error")
        stranger = await Visitor(room).client.get("/nothing")
        assert stranger.status_code == 404
        assert "other" not in stranger.text

    at_console(conversation)


def test_a_mistake_of_ours_tells_no_secrets(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        monkeypatch.setattr(room.view, "store", lambda: 1 // 0)
        page = await olga.get("/", expect=500)
        assert "the server made a mistake" in page.text
        assert "Traceback" not in page.source
        assert "could not be made" in caplog.text

    at_console(conversation)
