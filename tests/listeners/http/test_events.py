"""Events: once a second what counts, and what has changed."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from support.http import API, VIEWER, Room, in_room
from support.messages import frame_for

from rmimom.commands import DeleteDestination, Send
from rmimom.core.state import SERVER
from rmimom.destination import Queue
from rmimom.listeners.http import events
from rmimom.listeners.http.events import Hub, Listener
from rmimom.listeners.http.problems import Refusal

Q = Queue("q")


def read(event: bytes) -> tuple[str, dict[str, Any]]:
    """Name and data of an event."""
    name, data, *rest = event.decode().split("\n")
    assert rest == ["", ""]
    return name.removeprefix("event: "), msgspec.json.decode(data.removeprefix("data: "))


async def taken(listener: Listener) -> list[tuple[str, dict[str, Any]]]:
    """What waits for a listener."""
    found = [read(event) for event in listener._waiting]
    listener._waiting.clear()
    return found


def test_a_sample_is_told_with_what_has_changed() -> None:
    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "quiet"})
        await room.sampler.sample()
        room.clock.advance(20_000)
        listener = room.sampler.hub.join()
        await room.sampler.sample()
        [(name, counters)] = await taken(listener)
        assert (name, counters["role"], counters["epoch"]) == ("counters", "active", 3)
        await room.engine.submit(Send(SERVER, "", 0, Q, [frame_for(Q)] * 3))
        room.clock.advance(1000)
        await room.sampler.sample()
        (_, counters), (name, changes) = await taken(listener)
        assert (counters["sample"]["messages_in"], counters["sample"]["pending"]) == (3, 3)
        assert name == "destinations"
        assert [(row["name"], row["pending"]) for row in changes["changed"]] == [("q", 3)]
        assert changes["removed"] == []
        await room.engine.submit(DeleteDestination(SERVER, Q))
        room.clock.advance(1000)
        await room.sampler.sample()
        assert (await taken(listener))[1][1] == {"changed": [], "removed": ["queue://q"]}
        room.clock.advance(1000)
        await room.sampler.sample()
        assert [name for name, _ in await taken(listener)] == ["counters"]
        history = await room.get("/history?seconds=60")
        assert [point["pending"] for point in history["items"]][-3:] == [3, 0, 0]
        assert [point["in_rate"] for point in history["items"]][-3:] == [3, 0, 0]

    in_room(conversation)


def test_what_changed_between_the_list_and_the_first_sample_is_told_to_newcomers_alone() -> None:
    async def conversation(room: Room) -> None:
        for name in ("quiet", "passing"):
            await room.post("/queues", {"name": name})
        early = room.sampler.hub.join()
        await room.sampler.sample()
        room.clock.advance(20_000)
        # Now somebody reads the list; then things change, before and after the stream is open.
        await room.engine.submit(Send(SERVER, "", 0, Q, [frame_for(Q)]))
        await room.engine.submit(DeleteDestination(SERVER, Queue("passing")))
        await room.sampler.sample()
        room.clock.advance(1000)
        await taken(early)
        late = room.sampler.hub.join()
        await room.engine.submit(Send(SERVER, "", 0, Q, [frame_for(Q)]))
        await room.sampler.sample()
        _, (_, difference), (name, recent) = await taken(late)
        assert name == "destinations"
        assert [(row["name"], row["pending"]) for row in difference["changed"]] == [("q", 2)]
        assert [(row["name"], row["pending"]) for row in recent["changed"]] == [("q", 2)]
        assert recent["removed"] == ["queue://passing"]
        assert [name for name, _ in await taken(early)] == ["counters", "destinations"]
        room.clock.advance(1000)
        await room.sampler.sample()
        assert [name for name, _ in await taken(late)] == ["counters"]

    in_room(conversation)


def test_a_standby_tells_its_role() -> None:
    async def conversation(room: Room) -> None:
        room.view.is_active = False
        listener = room.sampler.hub.join()
        await room.sampler.sample()
        assert await taken(listener) == [("counters", {"role": "standby", "epoch": 0, "sample": None})]

    in_room(conversation)


def test_very_many_changes_come_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmimom.listeners.http.sampler.MOST_CHANGES", 2)

    async def conversation(room: Room) -> None:
        listener = room.sampler.hub.join()
        await room.sampler.sample()
        for number in range(5):
            await room.post("/queues", {"name": f"q{number}"})
        seen: list[str] = []
        for _ in range(3):
            room.clock.advance(1000)
            await room.sampler.sample()
            seen += [
                row["name"] for name, data in await taken(listener) if data.get("changed") for row in data["changed"]
            ]
        assert seen == [f"q{number}" for number in range(5)]

    in_room(conversation)


def test_who_does_not_listen_is_let_go() -> None:
    async def conversation() -> None:
        hub = Hub()
        slow, quick = hub.join(), hub.join()
        stream = quick.events()
        for _ in range(events.MOST_WAITING + 5):
            hub.tell("x", msgspec.convert({"at": 1}, type=_Nothing))
            await anext(stream)
        assert slow.closed
        assert not quick.closed
        assert len([event async for event in slow.events()]) == events.MOST_WAITING
        assert hub.listeners == {quick}
        hub.close()
        assert [event async for event in stream] == []
        with pytest.raises(Refusal):
            hub.join()

    asyncio.run(conversation())


class _Nothing(msgspec.Struct):
    at: int


def test_there_is_an_end_to_how_many_listen() -> None:
    async def conversation(room: Room) -> None:
        listeners = [room.sampler.hub.join() for _ in range(events.MOST_LISTENERS)]
        response = await room.client.get(f"{API}/events", auth=VIEWER)
        assert response.status_code == 503
        room.sampler.hub.leave(listeners[0])
        room.sampler.hub.join()

    in_room(conversation)
