"""Watching a destination: what comes is shown, nothing is taken, and there is an end to how much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from support.http import VIEWER, Room, in_room
from support.loops import until
from support.messages import frame_for

from rmimom.commands import Move, Send
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, Topic
from rmimom.listeners.http import tails
from rmimom.listeners.http.tails import Tail

Q = Queue("q")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams go on at once."""
    monkeypatch.setattr(tails, "PERIOD", 0)


async def send(room: Room, *bodies: str, to: Queue | Topic = Q) -> None:
    await room.engine.submit(Send(SERVER, "", 0, to, [frame_for(to, body) for body in bodies]))


async def told(stream: AsyncIterator[bytes]) -> dict[str, Any]:
    """The next event."""
    name, data, *rest = (await anext(stream)).decode().split("\n")
    assert (name, rest) == ("event: messages", ["", ""])
    return msgspec.json.decode(data.removeprefix("data: "))  # type: ignore[no-any-return]


def tail(room: Room, destination: Queue | Topic = Q, selector: str = "") -> tuple[Tail, AsyncIterator[bytes]]:
    made = room.sampler.tails.begin(room.engine, destination, selector)
    return made, made.events(room.view)


def test_what_comes_is_shown_and_stays_where_it_is() -> None:
    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "q"})
        await send(room, "before")
        _, stream = tail(room)
        await send(room, "a", "b")
        event = await told(stream)
        assert [item["preview"] for item in event["items"]] == ["a", "b"]
        assert event["dropped"] == 0
        listed = await room.get("/queues/q/messages")
        assert [item["preview"] for item in listed["items"]] == ["before", "a", "b"]
        assert [item["id"] for item in listed["items"]][1:] == [item["id"] for item in event["items"]]
        await send(room, "c")
        assert [item["preview"] for item in (await told(stream))["items"]] == ["c"]

    in_room(conversation)


def test_too_many_are_counted_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(tails, "LEAST_AT_ONCE", 3)

    async def conversation(room: Room) -> None:
        _, stream = tail(room)
        await send(room, *"abcdefg")
        event = await told(stream)
        assert ([item["preview"] for item in event["items"]], event["dropped"]) == (["a", "b", "c"], 4)
        await send(room, "h")
        event = await told(stream)
        assert ([item["preview"] for item in event["items"]], event["dropped"]) == (["h"], 0)

    in_room(conversation)


def test_many_streams_share_what_is_shown() -> None:
    async def conversation(room: Room) -> None:
        made = [tail(room) for _ in range(10)]
        await send(room, *"x" * 60)
        event = await told(made[0][1])
        assert (len(event["items"]), event["dropped"]) == (10, 50)
        for one, _ in made[1:]:
            one.leave()
        await send(room, *"x" * 60)
        event = await told(made[0][1])
        assert (len(event["items"]), event["dropped"]) == (50, 10)

    in_room(conversation)


def test_large_messages_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "MOST_BYTES", 500)

    async def conversation(room: Room) -> None:
        _, stream = tail(room)
        await send(room, "x" * 1000, "y")
        event = await told(stream)
        assert (len(event["items"]), event["dropped"]) == (1, 1)

    in_room(conversation)


def test_a_selector_chooses() -> None:
    async def conversation(room: Room) -> None:
        _, stream = tail(room, selector="JMSPriority > 5")
        low, high = frame_for(Q, "low", priority=1), frame_for(Q, "high", priority=9)
        await room.engine.submit(Send(SERVER, "", 0, Q, [low, high]))
        assert [item["preview"] for item in (await told(stream))["items"]] == ["high"]
        answer = await room.get("/queues/q/tail?selector=a%20%3D%3D", expect=400)
        assert answer["code"] == "invalid-selector"
        assert len(room.sampler.tails.open) == 1

    in_room(conversation)


def test_topics_are_watched_without_subscribers() -> None:
    async def conversation(room: Room) -> None:
        _, stream = tail(room, Topic("t"))
        await send(room, "a", to=Topic("t"))
        assert [(item["preview"], item["id"]) for item in (await told(stream))["items"]] == [("a", 0)]

    in_room(conversation)


def test_what_rests_on_disk_is_fetched() -> None:
    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "other"})
        await send(room, "a")
        [message] = (await room.get("/queues/q/messages"))["items"]
        _, stream = tail(room, Queue("other"))
        await room.engine.submit(Move(SERVER, Q, [message["id"]], Queue("other")))
        [item] = (await told(stream))["items"]
        assert (item["preview"], item["id"], item["moved_at"]) == ("a", message["id"], room.clock.now())

    in_room(conversation, Rules(resident_bytes=0))


def test_who_leaves_costs_nothing_any_more() -> None:
    async def conversation(room: Room) -> None:
        first, stream = tail(room)
        second, _ = tail(room)
        await send(room, "a")
        await told(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert room.sampler.tails.open == {second}
        assert room.engine.broker.state.followed == {Q}
        second.leave()
        first.leave()
        assert room.engine.broker.state.followed == set()

    in_room(conversation)


def test_streams_end_with_the_reign_and_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "BEAT", 0.001)

    async def conversation(room: Room) -> None:
        _, first = tail(room)
        assert await anext(first) == b": nothing new\n\n"
        room.view.is_active = False
        assert [event async for event in first] == []
        room.view.is_active = True
        _, second = tail(room)
        room.sampler.tails.close()
        assert [event async for event in second] == []
        assert room.sampler.tails.open == set()

    in_room(conversation)


def test_there_is_an_end_to_how_many_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "MOST_TAILS", 1)

    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "q"})
        await room.get("/queues/nothing/tail", expect=404)
        await room.get("/topics/q/tail", expect=404)
        tail(room)
        assert (await room.get("/queues/q/tail", expect=503, who=VIEWER))["code"] == "resource-allocation"

    in_room(conversation)


def test_a_stream_over_http() -> None:
    """Given a viewer who watches, when a message comes, then it is an event; the end of the server ends the stream."""

    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "q"})
        asked = asyncio.create_task(room.client.get("/api/v1/queues/q/tail", auth=VIEWER))
        await until(lambda: room.sampler.tails.open)
        await send(room, "hello")
        await asyncio.sleep(0)
        room.sampler.tails.close()
        response = await asked
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.text.startswith("retry: 2000\n\n")
        assert '"preview":"hello"' in response.text
        assert room.engine.broker.state.followed == set()

    in_room(conversation)
