"""Calls to callback objects: stock Pyro5 daemons, and daemons that hang, lie or die."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from Pyro5 import api, config, core
from Pyro5.callcontext import current_context
from support.waiting import wait_for

from rmimom.errors import ConnectionFailedError, IllegalStateError, StoreFullError
from rmimom.listeners.rmi.caller import ANSWER_LIMIT, CallbackPeer, RemoteCallError
from rmimom.rmi import serializers, wire


@api.expose
class Callback:
    def __init__(self) -> None:
        self.heard: list[object] = []
        self.go_on = threading.Event()

    def get_client_id(self) -> str:
        return "client"

    def new_message(self, message: dict[str, object]) -> bool:
        self.heard.append(message)
        return True

    def new_messages(self, *, sequence: int) -> int:
        self.heard.append(bytes(current_context.annotations["RMOM"]))
        current_context.response_annotations = {"BACK": b"back"}
        return sequence

    def hang(self) -> str:
        self.go_on.wait(20)
        return "too late"

    def fail(self) -> None:
        raise ValueError("not", "today")

    def fail_oddly(self) -> None:
        class OddError(Exception):
            pass

        raise OddError("odd")

    def refuse(self) -> None:
        raise StoreFullError("my disk is full")

    def large(self, size: int) -> str:
        return "x" * size

    def stream(self) -> Iterator[int]:
        yield 1

    @api.oneway
    def hear(self, value: object) -> None:
        self.heard.append(value)


class RunningDaemon:
    def __init__(self) -> None:
        self.object = Callback()
        self.daemon = api.Daemon(host="127.0.0.1")
        self.uri = self.daemon.register(self.object, "callback")
        self.thread = threading.Thread(target=self.daemon.requestLoop)
        self.thread.start()

    def end(self) -> None:
        self.object.go_on.set()
        self.daemon.shutdown()
        self.thread.join(20)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningDaemon]:
    found = RunningDaemon()
    yield found
    found.end()


@pytest.fixture
def daemon(running: RunningDaemon) -> RunningDaemon:
    running.object.heard.clear()
    return running


def talk(daemon: RunningDaemon, conversation: Callable[[CallbackPeer], Awaitable[None]]) -> None:
    """Run a conversation with the daemon's object, and close the connection after it."""

    async def main() -> None:
        peer = await CallbackPeer.connect(daemon.uri, 20)
        try:
            await conversation(peer)
        finally:
            peer.close()
            assert peer.closed

    asyncio.run(main())


def test_it_knows_what_the_object_can_do(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        assert {"get_client_id", "new_message", "new_messages"} <= peer.methods
        assert peer.oneway == {"hear"}
        assert peer.uri == daemon.uri

    talk(daemon, conversation)


def test_calls_and_results(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        assert await peer.call("get_client_id", timeout=20) == ("client", {})
        message = {"body": "text €", "properties": {"n": 1.5, "none": None}, "list": [1, (2, 3)]}
        assert await peer.call("new_message", (message,), timeout=20) == (True, {})
        result, annotations = await peer.call(
            "new_messages", (), {"sequence": 5}, {"RMOM": memoryview(b"batch")}, timeout=20
        )
        assert result == 5
        assert {name: bytes(data) for name, data in annotations.items()} == {"BACK": b"back"}
        assert daemon.object.heard == [message, b"batch"]

    talk(daemon, conversation)


def test_a_oneway_method_is_not_waited_for(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        for number in range(10):
            assert await peer.call("hear", (number,), timeout=20) == (None, {})
        assert await peer.call("get_client_id", timeout=20) == ("client", {})
        wait_for(lambda: sorted(daemon.object.heard) == list(range(10)))  # Pyro5 runs each in a thread

    talk(daemon, conversation)


def test_an_exception_of_the_object_is_told_and_the_connection_stays(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        for method, kind, text in (
            ("fail", "ValueError", "not, today"),
            ("refuse", "StoreFullError", "my disk is full"),
            ("no_such_method", "AttributeError", "no_such_method"),
            ("stream", "TypeError", "iterator"),
        ):
            with pytest.raises(RemoteCallError) as caught:
                await peer.call(method, timeout=20)
            assert caught.value.kind == kind
            assert text in caught.value.text
            assert method == "stream" or any("Traceback" in line for line in caught.value.remote_traceback)
        with pytest.raises(RemoteCallError, match="odd"):
            await peer.call("fail_oddly", timeout=20)
        assert await peer.call("get_client_id", timeout=20) == ("client", {})

    talk(daemon, conversation)


def test_compression(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "COMPRESSION", True)

    async def conversation(peer: CallbackPeer) -> None:
        assert await peer.call("new_message", ({"body": "x" * 100_000},), timeout=20) == (True, {})
        assert await peer.call("large", (500_000,), timeout=20) == ("x" * 500_000, {})

    talk(daemon, conversation)


def test_large_messages_go_out_and_large_answers_are_refused(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        assert await peer.call("new_message", ({"body": "x" * 5_000_000},), timeout=20) == (True, {})
        with pytest.raises(ConnectionFailedError, match="1048576 are allowed"):
            await peer.call("large", (ANSWER_LIMIT,), timeout=20)
        assert peer.closed

    talk(daemon, conversation)


def test_a_call_that_hangs_ends_after_its_time_and_costs_the_connection(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        with pytest.raises(ConnectionFailedError, match=r"did not answer hang within 0.02 s") as caught:
            await peer.call("hang", timeout=0.02)
        assert caught.value.facts == {"uri": str(daemon.uri), "seconds": 0.02}
        assert peer.closed
        with pytest.raises(ConnectionFailedError):
            await peer.call("get_client_id", timeout=20)

    talk(daemon, conversation)


def test_a_call_that_is_given_up_costs_the_connection(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        task = asyncio.create_task(peer.call("hang", timeout=20))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert peer.closed

    talk(daemon, conversation)


def test_one_call_at_a_time(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        task = asyncio.create_task(peer.call("get_client_id", timeout=20))
        await asyncio.sleep(0)
        with pytest.raises(IllegalStateError, match="under way already"):
            await peer.call("get_client_id", timeout=20)
        assert await task == ("client", {})

    talk(daemon, conversation)


def test_its_end_is_told(daemon: RunningDaemon) -> None:
    async def conversation(peer: CallbackPeer) -> None:
        first, late = asyncio.Event(), asyncio.Event()
        peer.on_close(first.set)
        peer.close()
        peer.close()
        async with asyncio.timeout(20):
            await first.wait()
        peer.on_close(late.set)
        assert late.is_set()

    talk(daemon, conversation)


def test_an_unknown_object_is_refused_by_its_daemon(daemon: RunningDaemon) -> None:
    uri = core.URI(f"PYRO:nothing@{daemon.uri.location}")
    with pytest.raises(ConnectionFailedError, match="refused the connection: unknown object"):
        asyncio.run(CallbackPeer.connect(uri, 20))


@pytest.mark.parametrize(
    "uri", ["", "nonsense", "http://x", "PYRONAME:x", "PYROMETA:x", "PYRO:x@./u:socket", "PYRO:x@h"]
)
def test_only_a_host_and_a_port_are_called(uri: str) -> None:
    with pytest.raises(ConnectionFailedError):
        asyncio.run(CallbackPeer.connect(uri, 20))


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionFailedError, match="cannot be reached"):
        asyncio.run(CallbackPeer.connect(f"PYRO:x@127.0.0.1:{port}", 20))


class Script(asyncio.Protocol):
    """A daemon that sends what it is told: one piece of bytes for each message that comes; None hangs up."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.reader = wire.FrameReader()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        for _ in self.reader:
            if self.answers:
                answer = self.answers.pop(0)
                if answer is None:
                    self.transport.close()
                else:
                    self.transport.write(answer)


def result(payload: bytes, *, type: int = wire.RESULT, sequence: int = 1, serializer: int = 1, flags: int = 0) -> bytes:
    return wire.encode_message(type, flags, sequence, serializer, payload)


META = {"handshake": "hello", "meta": {"methods": ["get"], "oneway": [], "attrs": []}}
WELCOME = result(serializers.dumps(1, META), type=wire.CONNECT_OK, sequence=0)


def meet(answers: list[bytes | None], *, timeout: float = 20) -> Any:
    """Connect to a script and call `get`."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Script(list(answers)), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        peer = None
        try:
            peer = await CallbackPeer.connect(f"PYRO:x@127.0.0.1:{port}", timeout)
            return await peer.call("get", timeout=timeout)
        finally:
            if peer is not None:
                assert peer.closed
            server.close()

    return asyncio.run(main())


BAD_WELCOMES = {
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "hangs up": None,
    "half, then nothing": WELCOME[:50],
    "no dict": result(b"5", type=wire.CONNECT_OK, sequence=0),
    "no metadata": result(b"{'meta': 5}", type=wire.CONNECT_OK, sequence=0),
    "marshal": result(b"\xe9\x05\x00\x00\x00", type=wire.CONNECT_OK, sequence=0, serializer=2),
    "a result": result(b"5"),
    "four gigabytes": wire.HEADER.pack(b"PYRO", 502, 2, 1, 0, 0, 0xFFFF_FFFF, 0, bytes(16), 0, 0x4DC5),
    "twice": WELCOME + WELCOME,
}


@pytest.mark.parametrize("answer", BAD_WELCOMES.values(), ids=list(BAD_WELCOMES))
def test_a_daemon_that_misbehaves_in_the_handshake(answer: bytes | None) -> None:
    with pytest.raises(ConnectionFailedError):
        meet([answer], timeout=0.05 if answer == WELCOME[:50] else 20)


BAD_ANSWERS = {
    "garbage": b"x",
    "hangs up": None,
    "half, then nothing": result(b"5")[:40],
    "another sequence": result(b"5", sequence=2),
    "another serializer": result(b"5", serializer=3),
    "another type": result(b"5", type=wire.PING),
    "malformed": result(b"(("),
    "code": result(b"__import__('os').system('id')"),
    "deep": result(b"[" * 100_000),
    "bomb": wire.encode_message(wire.RESULT, 0, 1, 1, b"'" + b"x" * 9_000_000 + b"'", compress=True),
    "two answers": result(b"5") + result(b"5"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
def test_a_daemon_that_misbehaves_in_a_call(answer: bytes | None) -> None:
    with pytest.raises(ConnectionFailedError):
        meet([WELCOME, answer], timeout=0.05 if answer == result(b"5")[:40] else 20)


def test_a_daemon_that_ends_is_noticed_without_a_call() -> None:
    async def main() -> None:
        scripts: list[Script] = []

        def accept() -> Script:
            scripts.append(Script([WELCOME]))
            return scripts[-1]

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
        peer = await CallbackPeer.connect(f"PYRO:x@127.0.0.1:{server.sockets[0].getsockname()[1]}", 20)
        gone = asyncio.Event()
        peer.on_close(gone.set)
        scripts[0].transport.close()
        async with asyncio.timeout(20):
            await gone.wait()
        with pytest.raises(ConnectionFailedError, match="closed by the other end"):
            await peer.call("get", timeout=20)
        server.close()

    asyncio.run(main())


def test_a_class_in_an_answer_stays_a_dict() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        value = {"__class__": "Pyro5.client.Proxy", "state": ["PYRO:x@h:1"]}
        answers: list[bytes | None] = [WELCOME, result(serializers.dumps(1, value))]
        server = await loop.create_server(lambda: Script(answers), "127.0.0.1", 0)
        peer = await CallbackPeer.connect(f"PYRO:x@127.0.0.1:{server.sockets[0].getsockname()[1]}", 20)
        assert await peer.call("get", timeout=20) == (value, {})
        peer.close()
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize("value", ["text", 5, None, [], {"args": 5, "attributes": []}, {"attributes": {"error": 5}}])
def test_a_strange_exception_is_an_exception_all_the_same(value: object) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        answers: list[bytes | None] = [WELCOME, result(serializers.dumps(1, value), flags=wire.EXCEPTION)]
        server = await loop.create_server(lambda: Script(answers), "127.0.0.1", 0)
        peer = await CallbackPeer.connect(f"PYRO:x@127.0.0.1:{server.sockets[0].getsockname()[1]}", 20)
        with pytest.raises(RemoteCallError):
            await peer.call("get", timeout=20)
        peer.close()
        server.close()

    asyncio.run(main())
