"""The server as a whole, its warnings and its metrics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.http import ADMIN, OPERATOR, Room, in_room
from support.messages import frame_for

from rmimom.commands import Connect, Pause, Release, Send, Subscribe
from rmimom.config import ServerConfig
from rmimom.core.state import SERVER
from rmimom.core.statistics import DestinationStatistics, SubscriptionStatistics
from rmimom.destination import Queue
from rmimom.engine import EngineStatistics
from rmimom.listeners.http.warnings import MANY, Reading, judge

Q = Queue("q")


def test_status_counts_what_there_is() -> None:
    async def conversation(room: Room) -> None:
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Q, prefetch=1))
        await room.post("/queues/q/messages", {"body": "a", "count": 3})
        await room.post("/queues/q/messages", {"body": "a", "delay": 5})
        await room.post("/subscriptions", {"topic": "t", "client_id": "ann", "name": "s"})
        status = await room.get("/status")
        assert status["counts"] == {
            "queues": 1,
            "topics": 1,
            "subscriptions": 1,
            "connections": 1,
            "consumers": 1,
            "pending": 4,
            "held": 1,
            "delayed": 1,
            "messages_in": 4,
            "messages_out": 0,
        }
        assert (status["role"], status["epoch"], status["active"]) == ("active", 3, "here:61611")
        resources = await room.get("/resources")
        assert resources["memory"]["process"] > 2**20
        assert resources["store"]["messages"] == 4
        assert resources["disk_free"] is None

    in_room(conversation)


def test_the_cluster_is_shown_and_steered_by_administrators() -> None:
    async def conversation(room: Room) -> None:
        assert (await room.get("/cluster"))["status"] is None
        room.view.cluster.exists = True
        assert (await room.get("/cluster"))["status"]["cluster"] == "test"
        await room.post("/cluster/switchover", {"to": "s2"}, who=OPERATOR, expect=403)
        await room.post("/cluster/switchover", {"to": "s2"}, who=ADMIN, expect=200)
        await room.post("/cluster/switchover", {}, expect=200)
        await room.post("/cluster/promote", {}, expect=409)
        await room.post("/cluster/promote", {"force": True}, expect=200)
        assert room.view.cluster.orders == ["s2", None, True]
        room.view.cluster.standby_in_sync = False
        [warning] = (await room.get("/warnings"))["items"]
        assert (warning["code"], warning["subject"]) == ("standby-behind", "b:1")

    in_room(conversation)


def reading(**more: Any) -> Reading:
    """A server of which there is nothing to say but this."""
    usual: dict[str, Any] = {
        "config": ServerConfig(data=Path("/data"), disk_reserve=1000),
        "facts": {},
        "engine": EngineStatistics(0, 0, 0, 0, committing=False, full=False),
        "destinations": [],
        "subscriptions": [],
        "dead": [],
        "disk_free": 10_000,
    }
    return Reading(**{**usual, **more})


def queue(name: str, pending: int, consumers: int = 0, **more: Any) -> DestinationStatistics:
    return DestinationStatistics("queue", name, pending, 0, consumers, 0, 0, 0, 0, 0, **more)


FULL = EngineStatistics(0, 0, 0, 0, committing=False, full=True)


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        ({}, []),
        ({"engine": FULL}, [("disk-full", "error")]),
        ({"disk_free": 3999}, [("disk-short", "warning")]),
        ({"disk_free": 4000}, []),
        ({"disk_free": None}, []),
        ({"dead": [("DLQ.q", 0)]}, []),
        ({"dead": [("DLQ.q", 2)], "destinations": [queue("DLQ.q", 2 * MANY)]}, [("dead-letters", "warning")]),
        ({"destinations": [queue("q", MANY)]}, [("no-consumer", "warning")]),
        ({"destinations": [queue("q", MANY - 1)]}, []),
        ({"destinations": [queue("q", MANY, consumers=1)]}, []),
        ({"destinations": [queue("q", MANY, delayed=1)]}, []),
        ({"destinations": [queue("q", 1, consumers=1, paused=True)]}, [("paused", "note")]),
        ({"destinations": [queue("q", 0, paused=True)]}, []),
        (
            {"subscriptions": [SubscriptionStatistics("ann", "s", "t", False, MANY, 0, 0)]},
            [("offline-subscription", "warning")],
        ),
        ({"subscriptions": [SubscriptionStatistics("ann", "s", "t", True, MANY, 0, 0)]}, []),
        ({"facts": {"registration": {"trouble": "refused", "nameserver": "n:1"}}}, [("name-server", "warning")]),
        ({"cluster": {"cluster": "c", "refusal": "forgotten", "servers": []}}, [("cluster", "error")]),
        ({"engine": FULL, "dead": [("D", 1)]}, [("disk-full", "error"), ("dead-letters", "warning")]),
    ],
)
def test_each_warning_comes_when_it_should(found: dict[str, Any], codes: list[tuple[str, str]]) -> None:
    told = judge(reading(**found))
    assert [(warning.code, warning.level) for warning in told] == codes
    assert all(warning.text and warning.advice and warning.subject for warning in told)


def test_warnings_of_a_running_server() -> None:
    async def conversation(room: Room) -> None:
        await room.engine.submit(Connect("c", "ann"))
        await room.engine.submit(Subscribe("c", 1, Q))
        await room.engine.submit(Send(SERVER, "", 0, Q, [frame_for(Q)] * 2))
        await room.engine.submit(Release("c", 1, (2,), dead=True))
        await room.engine.submit(Pause(SERVER, Q))
        found = {warning["code"]: warning["subject"] for warning in (await room.get("/warnings"))["items"]}
        assert found == {"dead-letters": "queue://DLQ.q", "paused": "queue://q"}
        assert (await room.get("/status"))["warnings"] == 2

    in_room(conversation)


def test_metrics_are_what_prometheus_reads() -> None:
    """The text format: HELP and TYPE once before the samples of a name, labels escaped, one value a line."""

    async def conversation(room: Room) -> None:
        await room.post("/queues/q/messages", {"body": "a", "count": 3})
        await room.post("/topics", {"name": "<b/\u00e9"})
        await room.post("/subscriptions", {"topic": "t", "client_id": 'a"b\\c', "name": "s"})
        response = await room.client.get("/metrics", auth=ADMIN)
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = response.text.splitlines()
        seen: dict[str, str] = {}
        sample = re.compile(r'(\w+)(\{\w+="(?:[^"\\\n]|\\.)*"(?:,\w+="(?:[^"\\\n]|\\.)*")*\})? -?[0-9.e+]+')
        for index, line in enumerate(lines):
            if line.startswith("# HELP "):
                name = line.split()[2]
                assert name not in seen
                assert lines[index + 1].startswith(f"# TYPE {name} ")
                seen[name] = lines[index + 1].split()[3]
            elif not line.startswith("#"):
                match = sample.fullmatch(line)
                assert match is not None, line
                assert match[1] in seen
                assert match[1].endswith("_total") == (seen[match[1]] == "counter")
        assert 'rmimom_destination_pending{kind="queue",name="q"} 3' in lines
        assert 'rmimom_subscription_pending{client_id="a\\"b\\\\c",name="s",topic="t"} 0' in lines
        assert "rmimom_messages_received_total 3" in lines

    in_room(conversation)
