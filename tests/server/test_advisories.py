"""Advisories as clients hear them (rmimom/server/advisories.py), over STOMP here and over RMI from a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.loops import until
from support.processes import TIME_LIMIT, start_server
from support.stomp_client import StompClient
from support.stomp_served import Client, Served, in_loop, serve

from rmimom import ConnectionFactory, InvalidDestinationError
from rmimom.clock import SystemClock
from rmimom.dispatch import public_id
from rmimom.incidents import DISK_FULL, DISK_HAS_ROOM, REFUSED, Incident
from rmimom.listeners.stomp.listener import StompLimits
from rmimom.server import advisories
from rmimom.server.advisories import Advisories


async def listen(served: Served, topic: str) -> Client:
    """A client that hears advisories."""
    client = await served.connected()
    await client.send("SUBSCRIBE", {"id": "1", "destination": topic, "receipt": "s"})
    await client.receipt("s")
    return client


@in_loop
async def test_a_client_that_does_not_read_is_cut_off_and_told_of() -> None:
    """Given a slow client, when it is cut off, then who listens hears which one it was, and why."""
    async with serve(limits=StompLimits(unsent_bytes=1024 * 1024)) as served:
        published = Advisories(served.engine, SystemClock())
        listener = await listen(served, "/topic/rmimom.advisory.>")
        deaf = await served.client(limit=1024)
        await deaf.connect(**{"client-id": "sleeper", "login": "ann"})
        await deaf.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "receipt": "r"})
        await deaf.receipt("r")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a reading one, too
        [connection] = [one for one in served.listener._connections if one.session.client_id]
        sender = await served.connected()
        for _ in range(3):
            await sender.send("SEND", {"destination": "/queue/a"}, b"x" * 8_000_000)
        told = await listener.frame()
        assert told.headers["destination"] == "/topic/rmimom.advisory.connection"
        expected = {
            "kind": "cut-off",
            "reason": "more than 1048576 bytes wait for it to read",
            "protocol": "stomp",
            "address": connection.address,
            "connection": public_id(connection._name),
            "user": "ann",
            "client_id": "sleeper",
            "count": "1",
        }
        assert {name: told.headers[name] for name in expected} == expected
        assert told.body == expected["reason"].encode()
        assert int(told.headers["expires"]) > int(told.headers["timestamp"])
        published.stop()


@in_loop
async def test_a_flood_of_refusals_is_told_of_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a limit of connections and many that knock, then the second advisory says how many since the first."""
    monkeypatch.setattr(advisories, "PAUSE", 0.0)
    async with serve(limits=StompLimits(connections=2)) as served:
        published = Advisories(served.engine, SystemClock())
        client = await listen(served, "/topic/rmimom.advisory.connection")
        await served.connected()
        await (await served.client()).closed()
        first = await client.frame()
        assert (first.headers["kind"], first.headers["count"]) == ("refused", "1")
        assert "too many connections: 2 are allowed" in first.headers["reason"]
        assert (first.headers["connection"], first.headers["client_id"]) == ("", "")
        await until(lambda: published._pause is None, "the pause")
        for _ in range(3):
            served.engine.incidents.report(Incident(REFUSED, "too many", "stomp", "127.0.0.1:1"))
        counts = [int((await client.frame()).headers["count"]) for _ in range(2)]
        assert counts == [1, 2]
        published.stop()
        published.stop()


@in_loop
async def test_a_full_disk_is_told_of_while_it_is_full() -> None:
    """Given a disk that fills up and has room again, then both are told, although nothing can be stored between."""
    async with serve() as served:
        free = [1000]
        engine = served.engine
        engine._room._free_bytes = lambda: free[0]
        engine._room._reserve = 100
        published = Advisories(engine, SystemClock())
        client = await listen(served, "/topic/rmimom.advisory.disk")
        for free[0], kind in ((99, DISK_FULL), (100, DISK_HAS_ROOM)):
            engine._room.check()
            engine._room.check()
            told = await client.frame()
            assert (told.headers["kind"], told.headers["reason"].encode()) == (kind, told.body)
            assert "address" not in told.headers
        published.stop()
        engine.incidents.report(Incident(DISK_FULL, "nobody is told any more"))
        await client.send("DISCONNECT", {"receipt": "end"})
        await client.receipt("end")


def test_rmi_clients_hear_advisories_and_cannot_make_any(tmp_path: Path) -> None:
    """Given a real server with a limit of STOMP connections, then an RMI client hears of the one too many."""
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0", "--stomp-max-connections", "1") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as connection, connection.create_session() as session:
            topic = session.topic("rmimom.advisory.connection")
            subscriber = session.create_subscriber(topic, selector="kind = 'refused' AND count > 0")
            with StompClient(server.stomp_port), pytest.raises(AssertionError):
                StompClient(server.stomp_port)
            told = subscriber.receive(TIME_LIMIT)
            assert told is not None
            assert told.properties["protocol"] == "stomp"
            assert told.properties["count"] == 1
            assert "too many connections" in told.body
            with pytest.raises(InvalidDestinationError, match="which alone sends there"):
                session.create_publisher(topic).publish("all is well")
