"""Calls to the callback objects of clients, which live in stock Pyro5 daemons, without a thread and without patience.

One `CallbackPeer` is one connection with one call under way.  Whatever the daemon at the other end does (nothing,
garbage, the end in the middle of an answer, a gigabyte), it costs the call that met it and this connection, no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Any, Final, cast

from Pyro5 import config, core
from Pyro5.errors import PyroError

from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError
from rmimom.rmi import serializers, wire
from rmimom.rmi.wire import FrameReader, Message

ANSWER_LIMIT: Final = 1024 * 1024
"""Bytes of the largest answer: a callback returns a number or a truth value; an exception has a traceback."""


class RemoteCallError(Exception):
    """The callback object was reached, and its method raised.

    `kind` is the name of the exception's class there, `text` what it said, `remote_traceback` its lines.
    """

    def __init__(self, kind: str, text: str, remote_traceback: Sequence[str] = ()) -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind
        self.text = text
        self.remote_traceback = tuple(remote_traceback)


class _Protocol(asyncio.Protocol):
    """Hands single messages to whoever waits for one; anything else ends the connection."""

    def __init__(self, limit: int) -> None:
        self.reader = FrameReader(limit)
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[Message] | None = None
        self.writable: asyncio.Future[None] | None = None
        self.failure: ConnectionFailedError | None = None
        self.on_close: list[Callable[[], None]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection was lost: {exc}" if exc else "the connection was closed by the other end")
        callbacks, self.on_close = self.on_close, []
        for callback in callbacks:
            callback()

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        try:
            message = self.reader.next_message()
        except JMSError as error:
            self.fail(f"what came is no answer: {error}")
            return
        if message is None:
            return
        if self.waiter is None or self.waiter.done() or self.reader.buffered:
            self.fail("something came that nobody asked for")
            return
        self.waiter.set_result(message)

    def pause_writing(self) -> None:
        self.writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._wake_writer()

    def _wake_writer(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def fail(self, text: str) -> None:
        """The connection is of no use any more; the first reason stays."""
        if self.failure is None:
            self.failure = ConnectionFailedError(text)
            if self.transport is not None:
                self.transport.abort()
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(self.failure)
        self._wake_writer()

    def send(self, data: bytes) -> None:
        """Send, or raise why that is not possible any more."""
        if self.failure is not None or self.transport is None:
            raise self.failure or ConnectionFailedError("the connection was not made")
        self.transport.write(data)

    async def exchange(self, data: bytes) -> Message:
        """Send, and wait for one message."""
        self.send(data)
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            return await self.waiter
        finally:
            self.waiter = None

    async def drain(self) -> None:
        """Wait until the other end takes what was sent."""
        if self.writable is not None:
            await self.writable
        if self.failure is not None:
            raise self.failure


class CallbackPeer:
    """A connection to one remote object; made by `connect`.

    `methods` and `oneway` are the names that the object exposes.
    """

    def __init__(self, uri: core.URI, protocol: _Protocol, methods: frozenset[str], oneway: frozenset[str]) -> None:
        self.uri = uri
        self.methods = methods
        self.oneway = oneway
        self._protocol = protocol
        self._sequence = 0
        self._busy = False

    @classmethod
    async def connect(
        cls,
        uri: str | core.URI,
        timeout: float,  # noqa: ASYNC109 - the error names what did not answer
        *,
        handshake: object = "hello",
        ssl: SSLContext | None = None,
        answer_limit: int = ANSWER_LIMIT,
    ) -> CallbackPeer:
        """Connect and shake hands within `timeout` seconds.

        Raises ConnectionFailedError if the object cannot be reached or refuses, or if `uri` is none that can be
        connected to: names are not looked up here, and sockets of the file system are not opened for a stranger.
        """
        try:
            uri = core.URI(uri)
        except (PyroError, TypeError, ValueError) as error:
            raise ConnectionFailedError(f"{uri!r} is no URI of a Pyro object: {error}", uri=str(uri)) from None
        if uri.protocol != "PYRO" or not uri.host or not uri.port:
            raise ConnectionFailedError(f"{uri} cannot be called back: it must be PYRO:object@host:port", uri=str(uri))
        protocol = _Protocol(answer_limit)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().create_connection(lambda: protocol, uri.host, uri.port, ssl=ssl)
                payload = serializers.dumps(serializers.SERPENT, {"handshake": handshake, "object": uri.object})
                message = await protocol.exchange(
                    wire.encode_message(wire.CONNECT, 0, 0, serializers.SERPENT, payload, compress=config.COMPRESSION)
                )
            methods, oneway = _welcome(message)
        except BaseException as error:
            protocol.fail("the connection was not made")
            if isinstance(error, TimeoutError):
                text = f"{uri} did not answer within {timeout} s"
                raise ConnectionFailedError(text, uri=str(uri), seconds=timeout) from None
            if isinstance(error, OSError):
                raise ConnectionFailedError(f"{uri} cannot be reached: {error}", uri=str(uri)) from error
            if isinstance(error, ConnectionFailedError):
                raise ConnectionFailedError(f"{uri}: {error.text}", uri=str(uri)) from error
            raise
        return cls(uri, protocol, methods, oneway)

    @property
    def closed(self) -> bool:
        """Whether the connection is gone; connect anew."""
        return self._protocol.failure is not None

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the connection is gone, or now if it is gone already."""
        if self._protocol.failure is not None:
            callback()
        else:
            self._protocol.on_close.append(callback)

    def close(self) -> None:
        """End the connection at once; a call under way fails.  Harmless twice."""
        self._protocol.fail("the connection was closed here")

    async def call(
        self,
        method: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        annotations: Mapping[str, wire.Buffer] | None = None,
        *,
        timeout: float,  # noqa: ASYNC109 - the error names what did not answer
    ) -> tuple[Any, dict[str, memoryview]]:
        """Call the method and return its result and the annotations of the answer.

        A method that the object declares oneway is not waited for: the result is None.  Raises RemoteCallError if
        the method raised; ConnectionFailedError if there was no proper answer within `timeout` seconds, then the
        connection is closed and whether the method ran is unknown; IllegalStateError if another call is under way.
        """
        if self._busy:
            raise IllegalStateError(f"a call to {self.uri} is under way already; wait for it")
        protocol = self._protocol
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        oneway = method in self.oneway
        payload = serializers.dumps_call(serializers.SERPENT, self.uri.object, method, tuple(args), dict(kwargs or {}))
        data = wire.encode_message(
            wire.INVOKE,
            wire.ONEWAY if oneway else 0,
            sequence,
            serializers.SERPENT,
            payload,
            annotations,
            compress=config.COMPRESSION,
        )
        self._busy = True
        try:
            async with asyncio.timeout(timeout):
                if oneway:
                    protocol.send(data)
                    await protocol.drain()
                    return None, {}
                message = await protocol.exchange(data)
        except TimeoutError:
            protocol.fail(f"no answer to {method} within {timeout} s")
            raise ConnectionFailedError(
                f"{self.uri} did not answer {method} within {timeout} s", uri=str(self.uri), seconds=timeout
            ) from None
        except ConnectionFailedError as error:
            raise ConnectionFailedError(f"{self.uri}: {error.text}", uri=str(self.uri)) from error
        except asyncio.CancelledError:
            # The answer may still come, and would be taken for that of the next call.
            protocol.fail("a call was given up")
            raise
        finally:
            self._busy = False
        return self._result(message, sequence)

    def _result(self, message: Message, sequence: int) -> tuple[Any, dict[str, memoryview]]:
        if message.type != wire.RESULT or message.sequence != sequence or message.serializer != serializers.SERPENT:
            self._protocol.fail("the answer does not belong to the call")
            raise ConnectionFailedError(f"{self.uri}: the answer does not belong to the call", uri=str(self.uri))
        try:
            value = serializers.loads_raw(message.serializer, message.payload)
        except PyroError as error:
            self._protocol.fail(str(error))
            raise ConnectionFailedError(f"{self.uri}: {error}", uri=str(self.uri)) from None
        if message.flags & wire.ITEM_STREAM:
            raise RemoteCallError("TypeError", "the method returned an iterator; a callback must return plain data")
        if message.flags & wire.EXCEPTION:
            raise _remote_error(value)
        return value, message.annotations


def _welcome(message: Message) -> tuple[frozenset[str], frozenset[str]]:
    """What the answer to the handshake says; raises ConnectionFailedError if it is no welcome."""
    try:
        value = serializers.loads_raw(message.serializer, message.payload)
        if message.type == wire.CONNECT_FAIL:
            raise ConnectionFailedError(f"it refused the connection: {str(value)[:500]}")
        if message.type != wire.CONNECT_OK:
            raise ConnectionFailedError(f"it answered the handshake with message type {message.type}")
        meta = value["meta"]
        return frozenset(map(str, meta["methods"])), frozenset(map(str, meta["oneway"]))
    except (PyroError, KeyError, TypeError) as error:
        raise ConnectionFailedError(f"its answer to the handshake makes no sense: {error}") from None


def _remote_error(value: Any) -> RemoteCallError:
    if not isinstance(value, dict):
        return RemoteCallError("Exception", str(value)[:1000])
    attributes = value.get("attributes")
    if not isinstance(attributes, dict):
        attributes = {}
    lines = attributes.get("_pyroTraceback")
    lines = [str(line) for line in lines] if isinstance(lines, list | tuple) else []
    if isinstance(attributes.get("error"), str):  # one of our tree, see rmimom.rmi.exceptions
        return RemoteCallError(attributes["error"], str(attributes.get("text", "")), lines)
    args = value.get("args")
    text = ", ".join(map(str, args)) if isinstance(args, list | tuple) else str(args or "")
    kind = str(value.get("__class__", "Exception")).removeprefix("builtins.")
    return RemoteCallError(kind, text[:1000], lines)
