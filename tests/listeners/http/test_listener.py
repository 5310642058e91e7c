"""The door: sockets first, the application when somebody comes, and the end in order."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from support.processes import TIME_LIMIT, clean_environment

from rmimom.config import ServerConfig
from rmimom.errors import ConfigurationError
from rmimom.listeners.http import serving
from rmimom.server.service import Server


def with_server(conversation: Callable[[Server, httpx.AsyncClient], Awaitable[None]], tmp_path: Path) -> None:
    """A conversation with a server that has a name of its own and nothing on disk."""

    async def whole() -> None:
        config = ServerConfig(data=tmp_path, store="memory", nameserver="", stomp="off", http="127.0.0.1:0", port=0)
        server = Server(config)
        try:
            await server.start()
            assert server.http is not None
            assert server.reign is not None
            login = ("admin", server.reign.first_password or "")
            async with httpx.AsyncClient(base_url=server.http.location, auth=login, timeout=TIME_LIMIT) as client:
                await conversation(server, client)
        finally:
            await server.stop()
        assert server.http is not None
        assert server.http.port == 0

    asyncio.run(whole())


def test_the_application_comes_with_the_first_client(tmp_path: Path) -> None:
    async def conversation(server: Server, client: httpx.AsyncClient) -> None:
        assert server.http is not None
        assert not server.http.loaded
        answers = await asyncio.gather(*[client.get("/healthz") for _ in range(5)])
        assert [answer.status_code for answer in answers] == [200] * 5
        assert server.http.loaded
        assert (await client.get("/api/v1/status")).json()["role"] == "active"
        assert "server" not in answers[0].headers

    with_server(conversation, tmp_path)


def test_a_server_that_nobody_asks_stops_at_once(tmp_path: Path) -> None:
    async def conversation(server: Server, client: httpx.AsyncClient) -> None:
        del client
        await server.stop()
        await server.stop()

    with_server(conversation, tmp_path)


def test_streams_of_events_end_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given somebody who listens, when the server stops, then the stream ends and the stop does not wait for it."""
    monkeypatch.setattr(serving, "GRACE", 3600)  # if it did, it would for so long

    async def conversation(server: Server, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/api/v1/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            while (line := await anext(lines)) != "event: counters":
                assert line == ""
            await server.stop()
            rest = [line async for line in lines]
            assert rest[0].startswith("data: {")

    with_server(conversation, tmp_path)


def test_a_stream_ends_with_its_session(tmp_path: Path) -> None:
    async def conversation(server: Server, client: httpx.AsyncClient) -> None:
        assert server.reign is not None
        body = {"user": "admin", "password": server.reign.first_password}
        token = (await client.post("/api/v1/login", json=body)).json()["token"]
        header = {"Authorization": f"Bearer {token}"}
        async with (
            httpx.AsyncClient(base_url=client.base_url, headers=header, timeout=TIME_LIMIT) as mine,
            mine.stream("GET", "/api/v1/events") as stream,
        ):
            await mine.post("/api/v1/logout")
            assert [line async for line in stream.aiter_lines()] == ["retry: 2000", ""]

    with_server(conversation, tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\n\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000,
        b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=range(6),
)
def test_what_is_no_http_hurts_nobody(data: bytes, tmp_path: Path) -> None:
    async def conversation(server: Server, client: httpx.AsyncClient) -> None:
        assert server.http is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http.port)
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
        assert not answer or answer.startswith(b"HTTP/1.1 4")
        writer.close()
        assert (await client.get("/healthz")).status_code == 200

    with_server(conversation, tmp_path)


def test_an_address_in_use_is_said_before_a_password_is_made(tmp_path: Path) -> None:
    async def conversation() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            config = ServerConfig(data=tmp_path, store="memory", nameserver="", stomp="off", http=address, port=0)
            server = Server(config)
            with pytest.raises(ConfigurationError, match=r"choose another address with --http HOST:PORT"):
                await server.start()
            assert server.reign is None
            await server.stop()

    asyncio.run(conversation())


def test_neither_clients_nor_a_server_that_starts_import_the_web(tmp_path: Path) -> None:
    program = """
import asyncio, pathlib, sys
import rmimom
rmimom.ConnectionFactory
def web():
    return {name.partition(".")[0] for name in sys.modules} & {"starlette", "uvicorn", "anyio"}
assert not web(), web()
from rmimom.config import ServerConfig
from rmimom.server.service import Server
async def main():
    data = pathlib.Path(sys.argv[1])
    server = Server(ServerConfig(data=data, store="memory", nameserver="", stomp="off", http="127.0.0.1:0", port=0))
    await server.start()
    await server.stop()
asyncio.run(main())
assert not web(), web()
"""
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")],
        check=True,
        timeout=TIME_LIMIT,
        env=clean_environment(tmp_path),
    )
