"""An RMI listener in a loop of its own, an object to call, and a client that may misbehave."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from rmimom.errors import InvalidDestinationError
from rmimom.listeners.rmi.call import Call, current_call
from rmimom.listeners.rmi.listener import RmiListener
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.rmi import serializers, wire
from rmimom.rmi.exposure import expose, oneway
from rmimom.rmi.wire import FrameReader, Message

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds until a test gives up; nothing is expected to take a noticeable part of it."""

PICKLE = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94"
"""What would run a program if anybody unpickled it."""


class Thing:
    """An object with a method of every kind."""

    def __init__(self) -> None:
        self._level = 1
        self.heard: list[object] = []
        self.waiting: list[asyncio.Future[object]] = []
        self.calls: list[Call] = []
        self.closed: list[str] = []

    @expose
    def echo(self, value: object) -> object:
        return value

    @expose
    def keywords(self, *args: object, **kwargs: object) -> list[object]:
        return [list(args), kwargs]

    @expose
    def size(self, value: str | dict[str, str]) -> int:
        return len(value)

    @expose
    def large(self, size: int) -> str:
        return "x" * size

    @expose
    def refuse(self) -> None:
        raise InvalidDestinationError("there is no such queue", name="orders")

    @expose
    def stumble(self) -> None:
        raise ZeroDivisionError("by zero")

    @expose
    def odd_error(self) -> None:
        raise ValueError(object())

    @expose
    def odd_result(self) -> object:
        return object.__new__(type("Odd", (), {"__slots__": ()}))

    @expose
    async def later(self, value: object) -> object:
        """Answer after some turns of the loop."""
        call = current_call()
        await asyncio.sleep(0)
        assert current_call() is call
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            assert current_call() is call
        call.reply_annotations["LATE"] = b"later"
        return value

    @expose
    async def refuse_later(self) -> None:
        await asyncio.sleep(0)
        raise InvalidDestinationError("there is no such queue", name="orders")

    @expose
    def wait(self) -> asyncio.Future[object]:
        """Answer when the test completes the future in `waiting`."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return future

    @expose
    def done(self, value: object) -> asyncio.Future[object]:
        """A future that is done already."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.set_result(value)
        return future

    @expose
    def gone(self) -> asyncio.Future[object]:
        """A future that is cancelled already."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.cancel()
        return future

    @expose
    def annotated(self) -> dict[str, str]:
        """What came in annotations; sends one back."""
        call = current_call()
        call.reply_annotations["BACK"] = b"back"
        self.calls.append(call)
        return {name: bytes(data).decode() for name, data in call.annotations.items()}

    @expose
    def who(self) -> list[object]:
        peer = current_call().peer
        return [peer.address[0], peer.object_id, peer.user]

    @expose
    def tell_when_gone(self, name: str) -> None:
        current_call().peer.on_close(lambda: self.closed.append(name))

    @expose
    def end_me(self) -> str:
        current_call().peer.close("asked to")
        return "bye"

    @expose
    def count(self, number: int) -> Iterator[int]:
        yield from range(number)

    @expose
    async def count_later(self, number: int) -> Iterator[int]:
        await asyncio.sleep(0)
        return iter(range(number))

    @expose
    @oneway
    def hear(self, value: object) -> None:
        self.heard.append(value)

    @expose
    @oneway
    def hear_badly(self) -> None:
        raise ZeroDivisionError

    @expose
    @property
    def level(self) -> int:
        return self._level

    @level.setter
    def level(self, value: int) -> None:
        self._level = value

    @expose
    def __len__(self) -> int:
        return 3

    @expose
    def __getitem__(self, index: int) -> int:
        return [10, 20, 30][index]

    def hidden(self) -> None:
        self.heard.append("hidden was called")

    def _private(self) -> None:
        self.heard.append("private was called")


class Served:
    """A listener with a `Thing` under the id `thing`, in a thread of its own."""

    def __init__(self, **options: Any) -> None:
        self.thing = Thing()
        self.registry = ObjectRegistry()
        self.registry.register("thing", self.thing)
        self.listener = RmiListener(self.registry, **options)
        self.troubles: list[dict[str, Any]] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: self.troubles.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever, name="served")

    def __enter__(self) -> Served:
        self._thread.start()
        try:
            self.run(self.listener.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.run(self.listener.stop())
        finally:
            self._end()
        assert self.troubles == []

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run something in the loop and wait for it."""

        async def outer() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(outer(), self.loop).result(PATIENCE)

    def do(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the loop's thread."""

        async def inside() -> T:
            return function(*args)

        return self.run(inside())

    def pass_time(self, seconds: float) -> None:
        """Let the listener believe that it is later."""
        self.do(lambda: self.listener.sweep(self.loop.time() + seconds))

    def uri(self, object_id: str = "thing") -> str:
        return f"PYRO:{object_id}@127.0.0.1:{self.listener.port}"

    @property
    def connections(self) -> int:
        return self.listener.statistics().connections


class RawClient:
    """Speaks bytes, right or wrong."""

    def __init__(self, port: int, *, greet: bool = True, serializer: int = serializers.SERPENT) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.reader = FrameReader()
        self.serializer = serializer
        self.sequence = 0
        if greet:
            self.send(self.handshake())
            message = self.receive()
            assert message is not None
            assert message.type == wire.CONNECT_OK

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def handshake(self, object_id: str = "thing", handshake: object = "hello") -> bytes:
        payload = serializers.dumps(self.serializer, {"object": object_id, "handshake": handshake})
        return wire.encode_message(wire.CONNECT, 0, 0, self.serializer, payload)

    def call(self, method: str, *args: object, object_id: str = "thing", flags: int = 0) -> bytes:
        """The bytes of a call."""
        self.sequence += 1
        payload = serializers.dumps_call(self.serializer, object_id, method, args, {})
        return wire.encode_message(wire.INVOKE, flags, self.sequence, self.serializer, payload)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> Message | None:
        """The next message, None at the end of the connection."""
        while (message := self.reader.next_message()) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.reader.feed(data)
        return message

    def answer(self) -> tuple[Any, int]:
        """The value and the flags of the next message."""
        message = self.receive()
        assert message is not None, "the connection was closed"
        return serializers.loads_raw(message.serializer, message.payload), message.flags
