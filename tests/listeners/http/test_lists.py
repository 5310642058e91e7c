"""Destinations, subscriptions, connections, users, and what waits for its time."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from support.http import ADMIN, OPERATOR, Room, in_room
from support.messages import frame_for

from rmimom.commands import Connect, CreateTemporary, Disconnect, Send, Subscribe
from rmimom.core.state import SERVER
from rmimom.destination import Queue, TemporaryQueue, Topic
from rmimom.dispatch import ConnectionInfo, public_id

Q = Queue("q")
T = Topic("t")


class Sink:
    """Takes everything and does nothing."""

    def deliver(self, deliveries: list[Any]) -> None:
        pass

    def consumer_closed(self, consumer: int, error: Exception) -> None:
        pass


def test_destinations_are_sorted_filtered_and_paged() -> None:
    async def conversation(room: Room) -> None:
        for number in range(25):
            await room.post("/queues", {"name": f"orders.{number:02}"}, expect=201)
        await room.post("/queues", {"name": "other"})
        await room.engine.submit(Send(SERVER, "", 0, Queue("orders.07"), [frame_for(Queue("orders.07"))] * 3))
        page = await room.get("/queues?filter=ORDERS&limit=10&offset=20")
        assert page["total"] == 25
        assert [row["name"] for row in page["items"]] == [f"orders.{number}" for number in range(20, 25)]
        page = await room.get("/queues?sort=pending&order=desc&limit=2")
        assert [(row["name"], row["pending"]) for row in page["items"]] == [("orders.07", 3), ("orders.00", 0)]
        assert (await room.get("/topics"))["total"] == 0

    in_room(conversation)


@pytest.mark.parametrize(
    "name", ["a/b", "ä ö".replace(" ", "-"), "a%2Fb", "<b", "..x", "\u202eabc", "x" * 255, "a;b&c=d"]
)
def test_any_name_that_is_allowed_can_be_asked_for(name: str) -> None:
    async def conversation(room: Room) -> None:
        for kind in ("queues", "topics"):
            path = f"/{kind}/{quote(name, safe='')}"
            assert (await room.post(f"/{kind}", {"name": name}, expect=201))["new"]
            assert not (await room.post(f"/{kind}", {"name": name}, expect=201))["new"]
            assert (await room.get(path))["statistics"]["name"] == name
            await room.ask("DELETE", path, expect=204)
            await room.get(path, expect=404)
            await room.ask("DELETE", path, expect=404)

    in_room(conversation)


@pytest.mark.parametrize(
    "name", ["", "a b", "a*", "x" * 256, "x" * 10_000, "a,b", "\n", "rmimom.x", "\u0000", "a?b", "a#b"]
)
def test_other_names_are_refused_with_a_reason(name: str) -> None:
    async def conversation(room: Room) -> None:
        problem = await room.post("/queues", {"name": name}, expect=400)
        assert problem["code"] == "invalid-destination"
        if name:
            await room.get(f"/queues/{quote(name, safe='')}", expect=404)
            await room.post(f"/queues/{quote(name, safe='')}/purge", expect=400)

    in_room(conversation)


def test_a_queue_is_purged_paused_and_deleted() -> None:
    async def conversation(room: Room) -> None:
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Q, prefetch=1, selector="x IS NULL"))
        await room.post("/queues/q/messages", {"body": "a", "count": 5})
        assert await room.post("/queues/q/pause") == {"paused": True, "changed": True}
        assert await room.post("/queues/q/pause") == {"paused": True, "changed": False}
        detail = await room.get("/queues/q")
        assert detail["statistics"]["paused"]
        [consumer] = detail["consumers"]
        assert consumer == {
            "connection": public_id("c"),
            "number": 1,
            "user": "ann",
            "client_id": "",
            "destination": "queue://q",
            "subscription": "",
            "selector": "x IS NULL",
            "prefetch": 1,
            "held": 1,
            "held_bytes": consumer["held_bytes"],
        }
        assert (await room.post("/queues/q/purge"))["count"] == 4
        assert await room.post("/queues/q/resume") == {"paused": False, "changed": True}
        problem = await room.ask("DELETE", "/queues/q", expect=409)
        assert "active consumers" in problem["detail"]
        await room.engine.submit(Disconnect("c"))
        await room.ask("DELETE", "/queues/q", who=OPERATOR, expect=204)
        await room.post("/queues/q/pause", expect=404)

    in_room(conversation)


def test_subscriptions_of_each_kind() -> None:
    async def conversation(room: Room) -> None:
        engine = room.engine
        await engine.submit(Connect("c", "ann", "laptop"))
        await engine.submit(Subscribe("c", 1, T, durable="active"))
        await engine.submit(Subscribe("c", 2, T, selector="x = 1"))
        await engine.submit(Subscribe("c", 3, T, shared=True, name="together"))
        await engine.submit(Subscribe("c", 4, Topic("t.>"), durable="pattern"))
        made = await room.post(
            "/subscriptions", {"topic": "t", "client_id": "bob", "name": "later", "selector": "y > 2"}, expect=201
        )
        await room.post("/subscriptions", {"topic": "t", "client_id": "bob", "name": "later"}, expect=409)
        rows = {row["name"]: row for row in (await room.get("/subscriptions?sort=name"))["items"]}
        assert set(rows) == {"active", "", "together", "pattern", "later"}
        assert (rows["active"]["client_id"], rows["active"]["active"], rows["active"]["durable"]) == (
            "laptop",
            True,
            True,
        )
        assert (rows[""]["selector"], rows[""]["durable"]) == ("x = 1", False)
        assert rows["together"]["shared"]
        assert (rows["pattern"]["topic"], rows["pattern"]["pattern"]) == ("t.>", True)
        for state, names in (
            ("active", ["active", "pattern"]),
            ("offline", ["later"]),
            ("not-durable", ["", "together"]),
        ):
            page = await room.get(f"/subscriptions?state={state}&sort=name")
            assert [row["name"] for row in page["items"]] == names
        assert [row["name"] for row in (await room.get("/subscriptions?topic=t.>"))["items"]] == ["pattern"]
        assert (await room.get("/subscriptions?filter=BOB"))["total"] == 1
        await room.ask("DELETE", f"/subscriptions/{rows['active']['id']}", expect=409)
        assert await room.get(f"/subscriptions/{made['id']}") == made
        await room.ask("DELETE", f"/subscriptions/{made['id']}", expect=204)
        for gone in (made["id"], "x", "9" * 30):
            await room.get(f"/subscriptions/{gone}", expect=404)
            await room.ask("DELETE", f"/subscriptions/{gone}", expect=404)

    in_room(conversation)


@pytest.mark.parametrize(
    "asked",
    [
        {"topic": "t", "client_id": "a", "name": ""},
        {"topic": "t", "client_id": "", "name": "x"},
        {"topic": "a..*b", "client_id": "a", "name": "x"},
        {"topic": "rmimom.heartbeat", "client_id": "a", "name": "x"},
        {"topic": "t", "client_id": "a", "name": "x", "selector": "x ="},
        {"topic": "t", "client_id": "a" * 300, "name": "x"},
        {"topic": "t", "client_id": "a", "name": "x", "shared": True, "no_local": True},
    ],
)
def test_strange_subscriptions_are_refused(asked: dict[str, Any]) -> None:
    async def conversation(room: Room) -> None:
        problem = await room.post("/subscriptions", asked)
        assert problem["detail"]

    with pytest.raises(AssertionError, match=r": (400|409) "):
        in_room(conversation)


def test_connections_are_known_by_what_is_no_secret_and_can_be_closed() -> None:
    async def conversation(room: Room) -> None:
        engine = room.engine
        closed: list[str] = []

        async def close(reason: str) -> None:
            closed.append(reason)
            engine.dispatch.detach("secret-name")

        engine.dispatch.attach("secret-name", Sink(), ConnectionInfo("rmi", "1.2.3.4:5", 77, close))
        await engine.submit(Connect("secret-name", "ann", "laptop"))
        await engine.submit(Subscribe("secret-name", 1, T, durable="s", selector="x = 1"))
        await engine.submit(CreateTemporary("secret-name", TemporaryQueue("answers")))
        await engine.submit(Connect("bare", "bob")) if "bare" not in engine.broker.state.clients else None
        page = await room.get("/connections")
        assert "secret-name" not in str(page)
        [row] = page["items"]
        assert row == {
            "id": public_id("secret-name"),
            "user": "ann",
            "client_id": "laptop",
            "protocol": "rmi",
            "address": "1.2.3.4:5",
            "since": 77,
            "consumers": 1,
            "held": 0,
            "temporaries": 1,
        }
        detail = await room.get(f"/connections/{row['id']}")
        assert "secret-name" not in str(detail)
        assert detail["consumers"][0]["subscription"] == "s"
        assert detail["consumers"][0]["selector"] == "x = 1"
        assert detail["temporaries"] == ["temp-queue://answers"]
        assert (await room.get("/topics/t"))["consumers"] == detail["consumers"]
        assert (await room.get("/connections?filter=LAPTOP"))["total"] == 1
        await room.ask("DELETE", f"/connections/{row['id']}", who=OPERATOR, expect=204)
        assert closed == ["closed by olga"]
        assert (await room.get("/connections"))["total"] == 0
        await room.ask("DELETE", f"/connections/{row['id']}", expect=404)

    in_room(conversation)


def test_users_are_added_changed_and_removed() -> None:
    async def conversation(room: Room) -> None:
        made = await room.post("/users", {"name": "eve", "password": "first", "role": "viewer"}, expect=201)
        assert made == {"name": "eve", "role": "viewer"}
        await room.post("/users", {"name": "eve", "password": "x"}, expect=409)
        for wrong in ("@eve", " eve", "e\u0000", ""):
            await room.post("/users", {"name": wrong, "password": "x"}, expect=400)
        await room.post("/users", {"name": "bob", "password": ""}, expect=400)
        await room.post("/users", {"name": "bob", "password": "x", "role": "emperor"}, expect=400)
        await room.get("/queues", who=("eve", "first"), expect=200)
        await room.ask("PUT", "/users/eve", {"password": "second"}, expect=200)
        await room.get("/queues", who=("eve", "first"), expect=401)
        assert (await room.get("/me", who=("eve", "second")))["role"] == "viewer"
        await room.ask("PUT", "/users/eve", {"role": ""}, expect=200)
        await room.get("/queues", who=("eve", "second"), expect=403)
        await room.ask("PUT", "/users/eve", {}, expect=400)
        await room.ask("PUT", "/users/nobody", {"role": ""}, expect=404)
        users = await room.get("/users?sort=role&order=desc")
        assert [(user["name"], user["role"]) for user in users["items"]][:2] == [
            ("vic", "viewer"),
            ("olga", "operator"),
        ]
        await room.ask("PUT", "/users/admin", {"role": "viewer"}, expect=409)
        await room.ask("DELETE", "/users/admin", expect=409)
        await room.ask("DELETE", "/users/eve", expect=204)
        await room.ask("DELETE", "/users/eve", expect=404)
        assert "secret" not in str(users)

    in_room(conversation)


def test_delayed_messages_are_listed_removed_and_delivered() -> None:
    async def conversation(room: Room) -> None:
        await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        for delay in (30, 10, 20):
            await room.post("/queues/q/messages", {"body": "a", "delay": delay})
        await room.post("/topics/t/messages", {"body": "a", "delay": 15})
        page = await room.get("/delayed")
        assert page["total"] == 4
        now = room.clock.now()
        assert [(row["destination"], row["due"] - now) for row in page["items"]] == [
            ("queue://q", 10_000),
            ("topic://t", 15_000),
            ("queue://q", 20_000),
            ("queue://q", 30_000),
        ]
        assert page["items"][1]["subscription"] > 0 == page["items"][0]["subscription"]
        assert [row["due"] - now for row in (await room.get("/delayed?filter=queue&offset=1&limit=1"))["items"]] == [
            20_000
        ]
        first, of_topic, second, third = (row["id"] for row in page["items"])
        deliver = {"destination": "queue://q", "ids": [first, of_topic, 10**9]}
        assert (await room.post("/delayed/deliver", deliver))["count"] == 1
        assert (await room.post("/delayed/deliver", {"destination": "topic://t", "ids": [of_topic]}))["count"] == 1
        remove = {"destination": "queue://q", "ids": [first, second]}
        assert (await room.post("/delayed/remove", remove))["count"] == 1
        assert [row["id"] for row in (await room.get("/delayed"))["items"]] == [third]
        assert [row["id"] for row in (await room.get("/queues/q/messages"))["items"]] == [first]
        await room.post("/delayed/remove", {"destination": "nowhere", "ids": []}, expect=400)

    in_room(conversation)


def test_scheduled_messages_are_listed_cancelled_and_sent() -> None:
    async def conversation(room: Room) -> None:
        for period in (1000, 2000):
            properties = {"AMQ_SCHEDULED_PERIOD": period, "AMQ_SCHEDULED_REPEAT": 5}
            await room.post("/queues/q/messages", {"body": "a", "properties": properties})
        page = await room.get("/scheduled?sort=next_time")
        assert [(row["destination"], row["period"]) for row in page["items"]] == [
            ("queue://q", 1000),
            ("queue://q", 2000),
        ]
        first, second = (row["id"] for row in page["items"])
        assert (await room.post("/scheduled/deliver", {"ids": [first]}))["count"] == 1
        assert (await room.get("/queues/q"))["statistics"]["pending"] == 1
        assert (await room.post("/scheduled/cancel", {"ids": [second, 10**9]}))["count"] == 1
        assert [row["id"] for row in (await room.get("/scheduled"))["items"]] == [first]
        # Where they wait is no queue like others.
        assert [row["name"] for row in (await room.get("/queues"))["items"]] == ["q"]
        await room.get("/queues/rmimom.schedule", who=ADMIN, expect=404)

    in_room(conversation)
