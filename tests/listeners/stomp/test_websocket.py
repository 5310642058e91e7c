from __future__ import annotations

import pytest
from support.stomp_served import Client, Served, in_loop, serve
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from rmimom.stomp.codec import SERVER_COMMANDS, Frame, FrameReader, encode_frame


class Browser:
    """A WebSocket client, as in a browser."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._socket = WSConnection(ConnectionType.CLIENT)
        self._waiting: list[Event] = []

    def send(self, event: Event) -> None:
        self._client.write(self._socket.send(event))

    async def event(self) -> Event:
        while not self._waiting:
            data = await self._client.reader.read(65536)
            self._socket.receive_data(data or None)
            self._waiting += list(self._socket.events())
        return self._waiting.pop(0)

    async def open(self, *subprotocols: str) -> Event:
        self.send(Request(host="localhost", target="/stomp", subprotocols=list(subprotocols)))
        return await self.event()

    async def frame(self) -> Frame:
        reader = FrameReader(commands=SERVER_COMMANDS)
        event = await self.event()
        assert isinstance(event, TextMessage | BytesMessage), event
        reader.feed(event.data.encode() if isinstance(event, TextMessage) else bytes(event.data))
        frame = reader.next_frame()
        assert frame is not None
        return frame


async def browser(served: Served) -> Browser:
    return Browser(await served.client())


@pytest.mark.parametrize("binary", [False, True])
@in_loop
async def test_a_browser_sends_and_receives(binary: bool) -> None:
    async with serve(websocket=True) as served:
        client = await browser(served)
        accepted = await client.open("v10.stomp", "v11.stomp", "v12.stomp")
        assert isinstance(accepted, AcceptConnection)
        assert accepted.subprotocol == "v12.stomp"

        def say(data: bytes) -> None:
            client.send(BytesMessage(data) if binary else TextMessage(data.decode()))

        say(encode_frame("CONNECT", {"accept-version": "1.2"}))
        assert (await client.frame()).command == "CONNECTED"
        # Pieces of frames, and several in one message.
        say(b"SUBSCRIBE\nid:1\ndestination:/que")
        say(b"ue/a\n\n\x00" + encode_frame("SEND", {"destination": "/queue/a"}, "ä".encode()))
        assert (await client.frame()).body == "ä".encode()
        say(encode_frame("DISCONNECT", {"receipt": "r"}))
        assert (await client.frame()).command == "RECEIPT"
        assert isinstance(await client.event(), CloseConnection)


@in_loop
async def test_a_body_that_is_no_text_comes_as_a_binary_message() -> None:
    async with serve(websocket=True) as served:
        client = await browser(served)
        await client.open("v12.stomp")
        client.send(BytesMessage(encode_frame("CONNECT", {"accept-version": "1.2"})))
        await client.frame()
        client.send(BytesMessage(encode_frame("SUBSCRIBE", {"id": "1", "destination": "/queue/a"})))
        client.send(BytesMessage(encode_frame("SEND", {"destination": "/queue/a"}, b"\xff\x00", content_length=True)))
        event = await client.event()
        assert isinstance(event, BytesMessage)
        assert bytes(event.data).endswith(b"\n\n\xff\x00\x00")


@in_loop
async def test_other_sub_protocols_are_refused() -> None:
    async with serve(websocket=True) as served:
        client = await browser(served)
        assert isinstance(await client.open("mqtt"), RejectConnection)


@in_loop
async def test_a_ping_is_answered() -> None:
    async with serve(websocket=True) as served:
        client = await browser(served)
        await client.open()
        client.send(Ping(b"x"))
        assert await client.event() == Pong(bytearray(b"x"))


@in_loop
async def test_an_error_of_stomp_closes_the_socket() -> None:
    async with serve(websocket=True) as served:
        client = await browser(served)
        await client.open("v12.stomp")
        client.send(TextMessage("JUMP\n\n\x00"))
        assert (await client.frame()).command == "ERROR"
        closed = await client.event()
        assert isinstance(closed, CloseConnection)
        assert "no command of STOMP" in (closed.reason or "")


@in_loop
async def test_who_speaks_no_websocket_is_closed() -> None:
    async with serve(websocket=True) as served:
        client = await served.client()
        client.write(b"CONNECT\n\n\x00" * 10 + b"\r\n\r\n")
        await client.closed()
        assert isinstance(await (await browser(served)).open("v12.stomp"), AcceptConnection)
