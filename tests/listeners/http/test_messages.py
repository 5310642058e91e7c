"""Messages as JSON: what is shown of them, and what can be sent."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from support.http import API, VIEWER, Room, in_room
from support.messages import frame_for

from rmimom.commands import Acknowledge, Connect, Release, Send, Subscribe
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, Topic
from rmimom.frame import decode_frame, encode
from rmimom.message import Message

Q = Queue("q")


async def put(room: Room, *bodies: Any, queue: Queue = Q, **more: Any) -> list[int]:
    """Send messages; their ids."""
    for body in bodies:
        await room.post(f"/queues/{queue.name}/messages", {"body": body, **more})
    page = await room.get(f"/queues/{queue.name}/messages?limit=1000")
    return [item["id"] for item in page["items"]]


KINDS: list[tuple[dict[str, Any], str, Any]] = [
    ({"body": "text"}, "text", "text"),
    ({"body": ""}, "text", ""),
    ({"body": None}, "none", None),
    ({"body": None, "kind": "text"}, "text", None),
    ({"body": {"a": 1, "b": {"short": 3}, "c": {"bytes": "AAE="}}}, "map", None),
    ({"body": {"a": {"deep": [1, 2]}}}, "object", {"a": {"deep": [1, 2]}}),
    ({"body": [1, "a", None, {"float": 0.5}]}, "stream", None),
    ({"body": [[1], {"a": 2}]}, "object", [[1], {"a": 2}]),
    ({"body": 5}, "object", 5),
    ({"body": {"a": 1}, "kind": "object"}, "object", {"a": 1}),
    ({"body": "AAH/", "kind": "bytes"}, "bytes", b"\x00\x01\xff"),
    ({"body": "00 01 ff", "kind": "bytes", "encoding": "hex"}, "bytes", b"\x00\x01\xff"),
]


@pytest.mark.parametrize(("sent", "kind", "body"), KINDS, ids=repr)
def test_each_kind_of_message_can_be_sent_shown_and_sent_again(sent: dict[str, Any], kind: str, body: Any) -> None:
    """Given a body, when it is sent, shown, and an edited copy sent, then a client gets the same both times."""

    async def conversation(room: Room) -> None:
        [number] = await put(room, sent["body"], **{name: value for name, value in sent.items() if name != "body"})
        shown = await room.get(f"/queues/q/messages/{number}", who=VIEWER)
        assert shown["message"]["kind"] == kind
        await room.post(f"/queues/q/messages/{number}/resend", {"message": {"type": "edited"}}, expect=201)
        frames = await room.engine.frames([number, number + 1])
        first, second = (Message.from_frame(frames[one]) for one in sorted(frames))
        assert second.type == "edited"
        if body is not None or kind in {"none", "text"}:
            assert first.body == body
        assert (first.body, first.kind) == (second.body, second.kind)

    in_room(conversation)


@pytest.mark.parametrize(
    ("sent", "form", "expected"),
    [
        ({"body": "h\u00e9"}, "auto", {"form": "text", "size": 3, "text": "h\u00e9"}),
        ({"body": '{"a": [1]}'}, "json", {"form": "json", "size": 10, "json": {"a": [1]}}),
        ({"body": "no json"}, "json", {"form": "text", "size": 7, "text": "no json"}),
        ({"body": "h\u00e9"}, "hex", {"form": "hex", "size": 3, "hex": "68c3a9"}),
        ({"body": "h\u00e9"}, "base64", {"form": "base64", "size": 3, "base64": "aMOp"}),
        ({"body": "AAH/", "kind": "bytes"}, "auto", {"form": "hex", "size": 3, "hex": "0001ff"}),
        ({"body": "AAH/", "kind": "bytes"}, "text", {"form": "hex", "size": 3, "hex": "0001ff"}),
        ({"body": "aGk=", "kind": "bytes"}, "text", {"form": "text", "size": 2, "text": "hi"}),
        ({"body": {"a": 1}}, "auto", {"form": "json", "size": 7, "json": {"a": 1}}),
        ({"body": {"a": 1}}, "text", {"form": "text", "size": 7, "text": '{"a":1}'}),
        ({"body": None, "kind": "text"}, "auto", {"form": "text", "size": 0}),
    ],
)
def test_forms_of_a_body(sent: dict[str, Any], form: str, expected: dict[str, Any]) -> None:
    async def conversation(room: Room) -> None:
        await room.post("/queues/q/messages", sent)
        shown = await room.get(f"/queues/q/messages/2?body={form}")
        assert shown["body"] == expected
        download = await room.client.get(f"{API}/queues/q/messages/2/body", auth=VIEWER)
        frames = await room.engine.frames([2])
        assert download.content == decode_frame(frames[2]).body
        assert "attachment" in download.headers["content-disposition"]

    in_room(conversation)


def test_a_long_body_is_cut_between_characters() -> None:
    async def conversation(room: Room) -> None:
        await put(room, "\u00e9" * 1000)
        shown = await room.get("/queues/q/messages/2?bytes=11")
        assert shown["body"] == {"form": "text", "size": 2000, "text": "\u00e9" * 5, "truncated": True}
        shown = await room.get("/queues/q/messages/2?bytes=3&body=hex")
        assert shown["body"]["hex"] == "c3a9c3"
        assert shown["message"]["preview"] == "\u00e9" * 200

    in_room(conversation)


def test_all_headers_and_properties_travel() -> None:
    async def conversation(room: Room) -> None:
        now = room.clock.now()
        sent = {
            "body": "x",
            "properties": {
                "a": True,
                "b": {"short": 3},
                "c": 2.5,
                "d": "t",
                "e": {"double": "inf"},
                "JMSXGroupID": "g",
            },
            "priority": 9,
            "persistent": False,
            "time_to_live": 60,
            "correlation_id": "c",
            "reply_to": "topic://answers",
            "type": "t",
        }
        answer = await room.post("/queues/q/messages", sent, expect=201)
        shown = (await room.get("/queues/q/messages"))["items"][0]
        assert shown["message_id"] == answer["message_ids"][0]
        wanted = {**sent, "timestamp": now, "expiration": now + 60_000, "destination": "queue://q", "deliveries": 0}
        del wanted["body"], wanted["time_to_live"]
        wanted["properties"] = {**sent["properties"]}  # type: ignore[dict-item]
        assert {name: shown[name] for name in wanted} == wanted

    in_room(conversation)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"priority": 10}, "priority"),
        ({"properties": {"": 1}}, "property"),
        ({"properties": {"NOT": 1}}, "NOT"),
        ({"properties": {"a": [1]}}, "type list"),
        ({"properties": {"a": {"short": 99999}}}, "Short"),
        ({"properties": {"JMSXGroupID": 5}}, "JMSXGroupID"),
        ({"reply_to": "nowhere"}, "reply_to"),
        ({"body": 5, "kind": "text"}, "text message"),
        ({"body": "!", "kind": "bytes"}, "base64"),
        ({"body": "x", "kind": "bytes", "encoding": "hex"}, "hex"),
        ({"body": [1], "kind": "map"}, "map"),
        ({"body": {"a": [1]}, "kind": "map"}, "type list"),
        ({"count": 10_001}, "count"),
        ({"time_to_live": -1}, "time_to_live"),
        ({"delay": 1e15}, "delay"),
    ],
)
def test_what_no_message_can_be_is_refused(sent: dict[str, Any], text: str) -> None:
    async def conversation(room: Room) -> None:
        problem = await room.post("/queues/q/messages", sent, expect=400)
        assert text in problem["detail"]
        assert (await room.get("/queues"))["total"] == 0

    in_room(conversation)


def test_many_copies_and_too_many_bytes() -> None:
    async def conversation(room: Room) -> None:
        answer = await room.post("/queues/q/messages", {"body": "x", "count": 1234})
        assert answer["count"] == 1234
        assert len(set(answer["message_ids"])) == 1000
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 1234
        await room.post("/queues/q/messages", {"body": "x" * 10_000, "count": 10_000}, expect=413)
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 1234

    in_room(conversation)


def test_destinations_of_the_server_are_not_sent_to() -> None:
    async def conversation(room: Room) -> None:
        for path in ("/queues/rmimom.schedule/messages", "/topics/rmimom.coordination/messages", "/topics/a*/messages"):
            await room.post(path, {"body": "x"}, expect=400)

    in_room(conversation)


@pytest.mark.parametrize("resident", [10_000_000, 0], ids=["in memory", "on disk"])
def test_a_queue_is_browsed_to_any_depth_without_consuming(resident: int) -> None:
    """Given many messages of several priorities, when browsed page by page, then each is there once, in order."""

    async def conversation(room: Room) -> None:
        frames = [frame_for(Q, str(number), priority=number % 10) for number in range(777)]
        await room.engine.submit(Send(SERVER, "", 0, Q, frames))
        seen: list[tuple[int, int]] = []
        cursor = ""
        while True:
            page = await room.get(f"/queues/q/messages?limit=50&cursor={cursor}", who=VIEWER)
            seen += [(-item["priority"], item["id"]) for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == 777
        assert seen == sorted(seen)
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 777
        assert (await room.get("/queues/q/messages?cursor=0-999999"))["items"] == []
        await room.get("/queues/q/messages?cursor=x", expect=400)

    in_room(conversation, Rules(resident_bytes=resident))


@pytest.mark.parametrize("resident", [10_000_000, 0], ids=["in memory", "on disk"])
def test_a_search_by_selector_and_text(resident: int) -> None:
    async def conversation(room: Room) -> None:
        frames = [
            frame_for(Q, f"Body {number} \u00c4pfel", properties={"even": number % 2 == 0}) for number in range(1000)
        ]
        await room.engine.submit(Send(SERVER, "", 0, Q, frames))

        async def found(**query: Any) -> list[str]:
            page = await room.get("/queues/q/messages", params=query)
            return [item["preview"].split()[1] for item in page["items"]]

        assert await found(text="body 99") == ["99", *[str(number) for number in range(990, 1000)]]
        assert await found(text="\u00e4PFEL", limit=2) == ["0", "1"]
        assert await found(text="99", selector="even = TRUE") == ["990", "992", "994", "996", "998"]
        assert await found(selector="even = FALSE", limit=3) == ["1", "3", "5"]
        problem = await room.get("/queues/q/messages", params={"selector": "even = "}, expect=400)
        assert problem["facts"]["column"]
        page = await room.get("/queues/q/messages", params={"text": "99", "limit": 1})
        assert page["next"] == "4-101"
        assert page["examined"] == 100

    in_room(conversation, Rules(resident_bytes=resident))


def test_one_page_looks_at_so_much_and_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmimom.listeners.http.messages.MOST_EXAMINED", 250)

    async def conversation(room: Room) -> None:
        await room.engine.submit(Send(SERVER, "", 0, Q, [frame_for(Q, str(number)) for number in range(600)]))
        page = await room.get("/queues/q/messages?text=599")
        assert page == {"items": [], "next": "4-301", "examined": 300}
        page = await room.get(f"/queues/q/messages?text=599&cursor={page['next']}")
        assert [item["preview"] for item in page["items"]] == ["599"]
        assert page["next"] is None

    in_room(conversation)


def test_a_message_is_shown_wherever_it_is_and_missed_when_it_is_gone() -> None:
    async def conversation(room: Room) -> None:
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Q, prefetch=1))
        await room.post("/queues/q/messages", {"body": "a", "count": 2})
        await room.post("/queues/q/messages", {"body": "later", "delay": 5})
        states = [(await room.get(f"/queues/q/messages/{number}"))["state"] for number in (2, 3, 4)]
        assert states == ["held", "ready", "delayed"]
        await room.engine.submit(Acknowledge("c", 1, up_to=2))
        problem = await room.get("/queues/q/messages/2", expect=404)
        assert "it was consumed, moved, or has expired" in problem["detail"]
        for strange in ("x", "-1", "9" * 30, "%C2%B2"):
            await room.get(f"/queues/q/messages/{strange}", expect=404)

    in_room(conversation)


def test_a_dead_letter_tells_why_and_an_edited_copy_goes_home() -> None:
    async def conversation(room: Room) -> None:
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Q))
        await room.post("/queues/q/messages", {"body": "bad", "priority": 7, "properties": {"n": 1}})
        await room.engine.submit(Release("c", 1, (2,), dead=True, reason="no stock"))
        [letter] = (await room.get("/queues/DLQ.q/messages"))["items"]
        assert letter["dead_letter"] == {
            "original_destination": "queue://q",
            "reason": "no stock",
            "failures": 1,
            "dead_at": room.clock.now(),
        }
        await room.post("/queues/DLQ.q/messages/2/resend", {"message": {"body": "good"}}, expect=201)
        detail = await room.get("/queues/q")
        assert detail["statistics"]["held"] == 1
        assert detail["dead_letter_queue"] == "DLQ.q"
        assert len((await room.get("/queues/DLQ.q/messages"))["items"]) == 1
        copy = (await room.engine.frames([max(await room.engine.frames(range(20)))])).popitem()[1]
        assert Message.from_frame(copy).body == "good"
        assert (Message.from_frame(copy).priority, Message.from_frame(copy).properties) == (7, {"n": 1})
        await room.post("/queues/DLQ.q/messages/2/resend", {"message": {"priority": 99}}, expect=400)
        await room.post("/queues/DLQ.q/messages/2/resend", {"to": "queue://new"}, expect=201)
        assert (await room.get("/queues/new"))["statistics"]["pending"] == 1

    in_room(conversation)


def test_markup_and_strange_text_stay_text() -> None:
    """Bodies and headers with markup, line breaks and half characters are JSON strings like others."""

    async def conversation(room: Room) -> None:
        await put(room, "<script>alert(1)</script>")
        frame = decode_frame(frame_for(Q, "x"))
        odd = msgspec.structs.replace(
            frame, body=b"\xff\xfe\x00", type="<b>\n", properties=b"{broken", properties_length=7
        )
        await room.engine.submit(Send(SERVER, "", 0, Q, [encode(odd)]))
        response = await room.client.get(f"{API}/queues/q/messages", auth=VIEWER)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"
        first, second = response.json()["items"]
        assert first["preview"] == "<script>alert(1)</script>"
        assert second["type"] == "<b>\n"
        assert second["properties"] == {}
        shown = await room.get(f"/queues/q/messages/{second['id']}")
        assert shown["body"] == {"form": "hex", "size": 3, "hex": "fffe00"}

    in_room(conversation)


def test_a_topic_is_sent_to() -> None:
    async def conversation(room: Room) -> None:
        await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        await room.post("/topics/t/messages", {"body": "x", "count": 2}, expect=201)
        assert (await room.get("/topics/t"))["statistics"]["pending"] == 2
        assert Topic("t") in room.engine.broker.state.places

    in_room(conversation)


def test_base64_of_what_is_shown_is_what_was_sent() -> None:
    async def conversation(room: Room) -> None:
        data = bytes(range(256))
        await room.post("/queues/q/messages", {"kind": "bytes", "body": base64.b64encode(data).decode()})
        shown = await room.get("/queues/q/messages/2?body=base64")
        assert base64.b64decode(shown["body"]["base64"]) == data

    in_room(conversation)
