"""A message's life: where it is found in every state, by number and by JMSMessageID, and what is told of before."""

from __future__ import annotations

from typing import Any

import pytest
from support.http import Room, in_room

from rmimom.commands import Acknowledge, Connect, CreateSubscription, Subscribe
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, Topic
from rmimom.listeners.http import tracing

Q = Queue("q")


class Sink:
    """Takes everything and does nothing."""

    def deliver(self, deliveries: list[Any]) -> None:
        pass

    def consumer_closed(self, consumer: int, error: Exception) -> None:
        pass


async def send(room: Room, path: str = "/queues/q/messages", **message: object) -> str:
    """Send a message; its JMSMessageID."""
    sent = await room.post(path, {"body": "x", **message}, expect=201)
    return str(sent["message_ids"][0])


async def trace(room: Room, message_id: object, query: str = "") -> Any:
    """What is told of it."""
    return await room.get(f"/messages/{message_id}/trace{query}", expect=200)


async def consume(room: Room, queue: Queue, connection: str) -> None:
    """A consumer that takes one message and keeps it."""
    room.engine.dispatch.attach(connection, Sink())
    await room.engine.submit(Connect(connection, "ann", "client-1"))
    await room.engine.submit(Subscribe(connection, 1, queue, prefetch=1))


BOTH = pytest.mark.parametrize("resident", [10_000_000, 0], ids=["in memory", "on disk"])


@BOTH
def test_it_is_found_wherever_it_waits(resident: int) -> None:
    async def conversation(room: Room) -> None:
        await send(room, count=250)
        ready = await send(room)
        late = await send(room, delay=60)
        scheduled = await send(room, properties={"AMQ_SCHEDULED_CRON": "0 0 29 2 *"})
        for message_id, state in ((ready, "ready"), (late, "delayed"), (scheduled, "scheduled")):
            found = await trace(room, message_id)
            assert [(place["state"], place["deliveries"]) for place in found["places"]] == [(state, 0)], message_id
            assert found["message"]["message_id"] == message_id
            assert found["complete"]
            by_number = await trace(room, found["id"])
            assert by_number["places"] == found["places"]
            assert by_number["examined"] == 0
        assert (await trace(room, ready, "?destination=queue://other"))["places"] == []
        nothing = await trace(room, "ID:nobody")
        assert (nothing["id"], nothing["message"], nothing["complete"]) == (None, None, True)
        assert nothing["examined"] == 253

    in_room(conversation, Rules(resident_bytes=resident))


def test_every_subscription_that_waits_for_it_is_named() -> None:
    async def conversation(room: Room) -> None:
        for name in ("archive", "desk"):
            await room.engine.submit(CreateSubscription(SERVER, Topic("t"), "one", name, "", False, False))
        message_id = await send(room, "/topics/t/messages")
        found = await trace(room, message_id)
        assert [(place["destination"], place["subscription_name"]) for place in found["places"]] == [
            ("topic://t", "archive"),
            ("topic://t", "desk"),
        ]
        assert (await trace(room, message_id, "?destination=topic://t"))["places"] == found["places"]

    in_room(conversation)


def test_who_holds_it_is_told_and_what_happened_before() -> None:
    async def conversation(room: Room) -> None:
        message_id = await send(room)
        await consume(room, Q, "c1")
        found = await trace(room, message_id)
        assert [(place["state"], place["user"], place["client_id"]) for place in found["places"]] == [
            ("held", "ann", "client-1")
        ]
        assert len(found["places"][0]["connection"]) == 16
        number = found["id"]
        await room.engine.submit(Acknowledge("c1", 1, 0, [number]))
        found = await trace(room, message_id)
        assert (found["id"], found["message"], found["places"]) == (number, None, [])
        assert [event["what"] for event in found["events"]] == ["sent", "delivered", "removed", "gone"]
        assert found["events"][0]["to"] == ["queue://q"]
        assert [event["where"] for event in found["events"]] == ["queue://q"] * 3 + [""]
        assert {event["at"] for event in found["events"]} == {room.view.clock.now()}
        assert found["events_since"] > 0
        assert (await trace(room, number))["events"] == found["events"]

    in_room(conversation)


def test_moves_are_told_with_their_places() -> None:
    async def conversation(room: Room) -> None:
        message_id = await send(room)
        await room.post("/queues/q/move", {"all": True, "to": "queue://other"})
        found = await trace(room, message_id)
        assert found["message"]["moved_at"] > 0
        moved = [event for event in found["events"] if event["what"] == "moved"]
        assert [(event["where"], event["to"]) for event in moved] == [("queue://q", ["queue://other"])]
        await room.ask("DELETE", "/queues/other", expect=204)
        assert f"{await trace(room, message_id)}".count("(gone)") >= 1

    in_room(conversation)


def test_a_request_looks_at_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "MOST_EXAMINED", 100)

    async def conversation(room: Room) -> None:
        await send(room, count=300)
        found = await trace(room, "ID:nobody")
        assert (found["complete"], found["examined"]) == (False, 100)

    in_room(conversation)


def test_a_destination_that_cannot_be_is_refused() -> None:
    async def conversation(room: Room) -> None:
        problem = await room.get("/messages/ID:x/trace?destination=nonsense", expect=400)
        assert problem["code"] == "invalid-destination"

    in_room(conversation)
