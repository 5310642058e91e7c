"""The HTTP interface of real servers: alone, over restarts, and on a standby."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
from support.processes import TIME_LIMIT, ServerProcess, start_name_server, start_server, start_standby, wait_for

import rmimom
from rmimom.admin_token import read_token

HTTP = ("--http", "127.0.0.1:0")


def administration(server: ServerProcess) -> httpx.Client:
    """A client of its interface, logged in with the token of its data directory."""
    token = read_token(server.data)
    assert token is not None
    assert token.http == f"http://127.0.0.1:{server.facts['http']}"
    return httpx.Client(base_url=f"{token.http}/api/v1", auth=(token.user, token.password), timeout=TIME_LIMIT)


def get(client: httpx.Client, path: str) -> Any:
    """What it answers."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def test_what_operators_did_survives_a_restart(tmp_path: Path) -> None:
    """Given moved, hastened and removed messages and a paused queue, when killed, then all is as it was."""
    data = tmp_path / "data"
    with start_server(data, *HTTP) as server, administration(server) as client:
        assert f"  HTTP         http://127.0.0.1:{server.facts['http']}" in server.output
        client.post("/queues/a/messages", json={"body": "x", "count": 10}).raise_for_status()
        client.post("/queues/a/messages", json={"body": "late", "delay": 3600}).raise_for_status()
        ids = [item["id"] for item in get(client, "/queues/a/messages")["items"]]
        client.post("/queues/a/move", json={"ids": ids[:3], "to": "queue://b"}).raise_for_status()
        client.post("/queues/a/remove", json={"ids": ids[3:5]}).raise_for_status()
        client.post("/queues/b/pause").raise_for_status()
        [late] = get(client, "/delayed")["items"]
        client.post("/delayed/deliver", json={"destination": "queue://a", "ids": [late["id"]]}).raise_for_status()
        client.post("/users", json={"name": "vic", "password": "secret", "role": "viewer"}).raise_for_status()
        server.kill()
    with start_server(data, *HTTP) as server, administration(server) as client:
        assert [item["id"] for item in get(client, "/queues/b/messages")["items"]] == ids[:3]
        assert [item["id"] for item in get(client, "/queues/a/messages")["items"]] == [*ids[5:], late["id"]]
        assert get(client, "/queues/b")["statistics"]["paused"]
        assert get(client, "/users?filter=vic")["items"] == [{"name": "vic", "role": "viewer"}]
        assert client.get("/users", auth=("vic", "secret")).status_code == 403
        assert server.stop() == 0


def test_a_connection_of_a_client_is_seen_and_closed(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", *HTTP, "--stomp", "127.0.0.1:0") as server,
        administration(server) as client,
        rmimom.ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory")).create_connection(
            "ann", client_id="laptop"
        ) as connection,
    ):
        connection.create_session().create_receiver(rmimom.Queue("q"))
        connection.start()
        [row] = get(client, "/connections")["items"]
        assert (row["user"], row["client_id"], row["protocol"], row["consumers"]) == ("ann", "laptop", "rmi", 1)
        assert row["address"].startswith("127.0.0.1:")
        assert client.delete(f"/connections/{row['id']}").status_code == 204
        # The library connects again by itself: it is another connection.
        again = wait_for(lambda: get(client, "/connections")["items"], "connection")
        assert again[0]["id"] != row["id"]


def test_a_standby_answers_read_only_and_takes_the_interface_over(tmp_path: Path) -> None:
    """Given an active server and a standby, when the active is killed, then the standby's interface becomes whole."""
    with (
        start_name_server() as names,
        start_server(tmp_path / "a", *HTTP, nameserver=names.location) as active,
        start_standby(tmp_path / "b", *HTTP, nameserver=names.location) as standby,
        administration(active) as first,
        administration(standby) as second,
    ):
        first.post("/queues/q/messages", json={"body": "x"}).raise_for_status()
        first.post("/users", json={"name": "vic", "password": "secret", "role": "viewer"}).raise_for_status()

        def in_sync() -> bool:
            servers = get(first, "/cluster")["status"]["servers"]
            return len(servers) == 2 and all(server["in_sync"] for server in servers)

        wait_for(in_sync, "standby in sync")
        status = get(second, "/status")
        assert (status["role"], status["active"]) == ("standby", active.location)
        problem = second.get("/queues")
        assert problem.status_code == 503
        http = f"http://127.0.0.1:{active.facts['http']}"
        assert problem.json()["facts"] == {"active": active.location, "active_http": http}
        # The users are those of the cluster, and so are their roles.
        assert second.get("/status", auth=("vic", "secret")).status_code == 200
        assert second.get("/status", auth=("vic", "wrong")).status_code == 401
        assert second.post("/cluster/promote", json={"force": True}, auth=("vic", "secret")).status_code == 403
        assert httpx.get(f"http://127.0.0.1:{standby.facts['http']}/readyz").status_code == 503
        active.kill()
        wait_for(lambda: second.get("/queues").status_code == 200, "takeover")
        assert [item["preview"] for item in get(second, "/queues/q/messages")["items"]] == ["x"]
        assert get(second, "/status")["role"] == "active"


def test_a_connection_of_stomp_is_seen_and_closed(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", *HTTP, "--stomp", "127.0.0.1:0") as server,
        administration(server) as client,
        socket.create_connection(("127.0.0.1", server.stomp_port), timeout=TIME_LIMIT) as peer,
    ):
        peer.sendall(b"CONNECT\naccept-version:1.2\nhost:x\nlogin:bob\npasscode:x\n\n\0")
        assert peer.recv(65536).startswith(b"CONNECTED")
        [row] = get(client, "/connections")["items"]
        assert (row["user"], row["protocol"]) == ("bob", "stomp")
        assert client.delete(f"/connections/{row['id']}").status_code == 204
        told = b""
        while data := peer.recv(65536):
            told += data
        assert b"ERROR" in told
        assert b"closed by @local" in told
        assert get(client, "/connections")["items"] == []
