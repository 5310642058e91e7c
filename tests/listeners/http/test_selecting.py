"""Orders for many messages: nothing is lost, order is kept, and others have their turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.http import Room, in_room
from support.messages import body_of, frame_for

from rmimom.commands import Connect, Release, Send, Subscribe
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue

Q = Queue("q")


async def fill(room: Room, count: int, queue: Queue = Q) -> list[int]:
    """Put messages into a queue; their ids, in the order of delivery."""
    first = room.engine.broker.next_id
    frames = [
        frame_for(queue, f"body {number}", priority=4 + number % 2, properties={"n": number}) for number in range(count)
    ]
    await room.engine.submit(Send(SERVER, "", 0, queue, frames))
    offset = room.engine.broker.next_id - count - first
    numbers = range(first + offset, first + offset + count)
    return [one for one in numbers if (one - numbers[0]) % 2] + [one for one in numbers if not (one - numbers[0]) % 2]


async def bodies(room: Room, queue: str) -> list[str]:
    """What waits in a queue, in order."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await room.get(f"/queues/{queue}/messages?limit=1000&cursor={cursor}")
        found += [item["preview"] for item in page["items"]]
        cursor = page["next"]
    return found


BOTH = pytest.mark.parametrize("resident", [10_000_000, 0], ids=["in memory", "on disk"])


@BOTH
def test_all_of_a_queue_are_moved_in_order(resident: int) -> None:
    async def conversation(room: Room) -> None:
        await fill(room, 555)
        before = await bodies(room, "q")
        dry = await room.post("/queues/q/move", {"all": True, "to": "queue://other", "dry_run": True})
        assert dry == {"matched": 555, "done": 0, "dry_run": True, "next": None}
        done = await room.post("/queues/q/move", {"all": True, "to": "queue://other"})
        assert done == {"matched": 555, "done": 555, "dry_run": False, "next": None}
        assert await bodies(room, "q") == []
        assert await bodies(room, "other") == before

    in_room(conversation, Rules(resident_bytes=resident))


@BOTH
def test_messages_are_chosen_by_selector_text_limit_and_cursor(resident: int) -> None:
    async def conversation(room: Room) -> None:
        await fill(room, 300)
        order = {"selector": "n < 250", "text": "body 1", "limit": 10}
        done = await room.post("/queues/q/remove", order)
        assert (done["matched"], done["done"]) == (10, 10)
        again = await room.post("/queues/q/remove", {**order, "cursor": done["next"], "limit": 1000})
        assert (again["done"], again["next"]) == (111 - 10, None)
        assert not any(body.startswith("body 1") for body in await bodies(room, "q"))
        assert len(await bodies(room, "q")) == 300 - 111

    in_room(conversation, Rules(resident_bytes=resident))


@BOTH
def test_copies_are_messages_of_their_own(resident: int) -> None:
    async def conversation(room: Room) -> None:
        ids = await fill(room, 250)
        await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        assert (await room.post("/queues/q/copy", {"all": True, "to": "queue://q"}))["done"] == 250
        assert len(await bodies(room, "q")) == 500
        done = await room.post("/queues/q/copy", {"ids": [ids[3], ids[1], 10**9], "to": "topic://t"})
        assert done["done"] == 2
        assert (await room.get("/topics/t"))["statistics"]["pending"] == 2
        page = await room.get("/queues/q/messages?limit=1000")
        message_ids = [item["message_id"] for item in page["items"] if item["message_id"]]
        assert len(set(message_ids)) == len(message_ids) == 250
        assert {item["destination"] for item in page["items"]} == {"queue://q"}

    in_room(conversation, Rules(resident_bytes=resident))


def test_messages_are_named_by_ids() -> None:
    async def conversation(room: Room) -> None:
        ids = await fill(room, 300)
        chosen = ids[50:260]
        dry = await room.post("/queues/q/remove", {"ids": [*chosen, 10**9], "dry_run": True})
        assert (dry["matched"], dry["done"]) == (210, 0)
        done = await room.post("/queues/q/remove", {"ids": [*chosen, 10**9, chosen[0]]})
        assert (done["matched"], done["done"]) == (211, 210)
        left = [item["id"] for item in (await room.get("/queues/q/messages?limit=1000"))["items"]]
        assert left == ids[:50] + ids[260:]

    in_room(conversation)


def test_messages_are_buried_with_a_reason() -> None:
    async def conversation(room: Room) -> None:
        ids = await fill(room, 250)
        body = {"selector": "n < 10", "reason": "no such article"}
        assert (await room.post("/queues/q/bury", {**body, "dry_run": True}))["matched"] == 10
        assert (await room.post("/queues/q/bury", body))["done"] == 10
        found = (await room.get("/queues/DLQ.q/messages"))["items"]
        assert {(one["dead_letter"]["original_destination"], one["dead_letter"]["reason"]) for one in found} == {
            ("queue://q", "no such article")
        }
        assert (await room.post("/queues/q/bury", {"all": True}))["done"] == 240
        # What is a dead letter already stays.
        assert (await room.post("/queues/DLQ.q/bury", {"all": True}))["done"] == 0
        assert (await room.post("/queues/DLQ.q/retry", {"all": True}))["done"] == 250
        assert sorted(await bodies(room, "q")) == sorted(f"body {number}" for number in range(250))
        await room.post("/queues/q/bury", {"ids": ids[:1], "reason": "x" * 1001}, expect=400)

    in_room(conversation)


def test_dead_letters_go_back_one_some_and_all() -> None:
    async def conversation(room: Room) -> None:
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Q, prefetch=1000))
        ids = sorted(await fill(room, 250))
        await room.engine.submit(Release("c", 1, ids, dead=True, reason="bad", close=True))
        await fill(room, 1, Queue("DLQ.q"))  # somebody sent this one there: it is no dead letter
        assert (await room.post("/queues/DLQ.q/retry", {"ids": [ids[5]]}))["done"] == 1
        assert (await room.post("/queues/DLQ.q/retry", {"selector": "n < 10", "dry_run": True}))["matched"] == 9
        assert (await room.post("/queues/DLQ.q/retry", {"selector": "n < 10"}))["done"] == 9
        assert (await room.post("/queues/DLQ.q/retry", {"all": True}))["done"] == 240
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 250
        assert (await room.get("/queues/DLQ.q"))["statistics"]["pending"] == 1
        [first, *_] = (await room.get("/queues/q/messages"))["items"]
        assert first["retried_at"] == room.clock.now()

    in_room(conversation)


def test_received_messages_are_gone() -> None:
    async def conversation(room: Room) -> None:
        await fill(room, 5)
        answer = await room.post("/queues/q/receive", {"limit": 2, "selector": "n > 1"})
        assert [item["body"]["text"] for item in answer["items"]] == ["body 3", "body 2"]
        assert await bodies(room, "q") == ["body 1", "body 0", "body 4"]
        assert len((await room.post("/queues/q/receive", {"limit": 1000}))["items"]) == 3
        assert (await room.post("/queues/q/receive", {}))["items"] == []
        await room.post("/queues/nothing/receive", {}, expect=404)

    in_room(conversation)


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({}, 400),
        ({"ids": [1], "all": True}, 400),
        ({"ids": [1], "selector": "a = 1"}, 400),
        ({"ids": list(range(10_001))}, 400),
        ({"ids": [-1]}, 400),
        ({"all": True, "limit": 10**9}, 400),
        ({"selector": "a ="}, 400),
        ({"all": True, "cursor": "x"}, 400),
        ({"all": False}, 400),
    ],
)
def test_an_order_says_what_it_means(order: dict[str, Any], status: int) -> None:
    async def conversation(room: Room) -> None:
        await fill(room, 3)
        await room.post("/queues/q/remove", order, expect=status)
        assert len(await bodies(room, "q")) == 3

    in_room(conversation)


@pytest.mark.parametrize("to", ["queue://q", "topic://t", "q", "queue://a,b", "queue://rmimom.x", "queue://a*", ""])
def test_messages_are_not_moved_anywhere(to: str) -> None:
    async def conversation(room: Room) -> None:
        await fill(room, 3)
        await room.post("/queues/q/move", {"all": True, "to": to}, expect=400)
        assert len(await bodies(room, "q")) == 3

    in_room(conversation)


def test_others_have_their_turn_while_an_order_is_carried_out() -> None:
    """Given an order for a deep queue, when others send meanwhile, then they need not wait for its end."""

    async def conversation(room: Room) -> None:
        await fill(room, 5000)
        order = asyncio.ensure_future(room.post("/queues/q/move", {"all": True, "to": "queue://other"}))
        sent = 0
        while not order.done():
            await room.engine.submit(Send(SERVER, "", 0, Queue("mine"), [frame_for(Queue("mine"), str(sent))]))
            sent += 1
        assert (await order)["done"] == 5000
        assert sent > 20
        assert len(await bodies(room, "mine")) == sent

    in_room(conversation)


def test_what_comes_while_an_order_is_carried_out_is_not_concerned() -> None:
    async def conversation(room: Room) -> None:
        await fill(room, 400)
        order = asyncio.ensure_future(room.post("/queues/q/remove", {"all": True}))
        place = room.engine.broker.state.places[Q]
        while place.mailboxes()[0].pending == 400:
            await room.engine.frames([])
        late = [frame_for(Q, f"late {number}", priority=0) for number in range(3)]
        await room.engine.submit(Send(SERVER, "", 0, Q, late))
        await order
        frames = await room.engine.frames(range(room.engine.broker.next_id))
        assert sorted(map(body_of, frames.values())) == ["late 0", "late 1", "late 2"]

    in_room(conversation)
