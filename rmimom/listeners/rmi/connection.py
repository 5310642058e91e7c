"""One TCP connection of a proxy: handshake, then messages, strictly one after the other; calls are served elsewhere.

The connection reads on while a call is under way, to notice when the peer leaves, but serves the next message only
when the answer is written.  `_held` is the set of reasons (bits) not to go on; when it is empty and bytes wait, the
connection serves.

    CALL     an awaitable that a method returned is not done yet
    WRITING  the peer does not take our answers as fast as we write them
    TURN     many messages came at once, and others shall have their turn in between

Nothing here starts a timer: time limits are kept by the listener's sweep.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from Pyro5 import config
from Pyro5.errors import PyroError, SerializeError

from rmimom.errors import JMSError
from rmimom.listeners.rmi.peer import SECRET_PREFIX, Peer
from rmimom.listeners.rmi.serving import Serving
from rmimom.rmi import serializers, wire
from rmimom.rmi.wire import FrameError, FrameReader, FrameTooLargeError, Message

if TYPE_CHECKING:
    from rmimom.listeners.rmi.listener import RmiListener

log = logging.getLogger(__name__)

CALL: Final = 1
WRITING: Final = 2
TURN: Final = 4

_MESSAGES_A_TURN: Final = 16
"""A peer that sends faster than we answer lets the others have their turn after so many."""
_READ_AHEAD: Final = 256 * 1024
"""Bytes of further messages that are taken while one is served; then the peer must wait (TCP holds it back)."""

_KEEP_ALIVE: Final = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
]
"""A machine that vanished without a word is noticed after four minutes; usually it takes more than two hours."""


class RmiConnection(asyncio.Protocol):
    """The server's end of one proxy's connection."""

    __slots__ = (
        "_ending",
        "_greeted",
        "_held",
        "_listener",
        "_reader",
        "_reading_paused",
        "_refusal",
        "_serving",
        "_transport",
        "_watched",
        "peer",
        "received",
    )

    def __init__(self, listener: RmiListener) -> None:
        self._listener = listener
        self._reader = FrameReader(listener.limits.handshake_bytes, drop_annotations=True)
        self._held = 0
        self._greeted = False  # the handshake was accepted
        self._ending = False  # nothing more is served
        self._refusal = ""  # why the handshake will be refused, known before it came
        self._reading_paused = False
        self._watched = False  # the sweep looks after a message that is not complete
        self.received = 0
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._serving: Serving = cast(Serving, None)
        self.peer: Peer = cast(Peer, None)

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is there; its handshake is awaited."""
        self._transport = cast(asyncio.Transport, transport)
        endpoint = transport.get_extra_info("socket")
        if endpoint is not None:
            try:
                for level, option, value in _KEEP_ALIVE:
                    endpoint.setsockopt(level, option, value)
            except OSError:
                pass  # it is gone already, as some systems say here; connection_lost follows
        address = transport.get_extra_info("peername") or ("", 0)
        self.peer = Peer(self, (str(address[0]), int(address[1])))
        self._serving = Serving(self, self.peer, self._listener)
        self._refusal = self._listener.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone, or we closed."""
        self._ending = True
        self._listener.connection_lost(self)
        self.peer.connection_lost()
        self._serving.forget()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.received += len(data)
        self._reader.feed(data)
        if not self._held:
            self._serve_waiting()
        elif not self._reading_paused and self._reader.buffered > _READ_AHEAD:
            self._transport.pause_reading()
            self._reading_paused = True

    def pause_writing(self) -> None:
        """The peer does not read; answer nothing more until it does."""
        self._held |= WRITING
        self._listener.writing_paused(self)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._listener.writing_resumed(self)
        self._release(WRITING)

    # What the listener asks.

    def shut(self, reason: str) -> None:
        """Serve nothing more; close when the call under way is answered and everything is sent."""
        if not self._ending:
            log.debug("%r is closed: %s", self.peer, reason)
        self._ending = True
        if not self._held & CALL:
            # In the next turn, for a plain method that asks for it has no answer yet.
            self._listener.loop.call_soon(self._finish)

    def _finish(self) -> None:
        """Close when everything is sent."""
        self._ending = True
        if not self.peer.closed:
            self._listener.finishing(self)
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once, whatever is not sent yet."""
        log.info("%r is cut off: %s", self.peer, reason)
        self._ending = True
        self._transport.abort()

    @property
    def name(self) -> str:
        """How the core knows the client, empty if this connection is about something else."""
        return self.peer.object_id.removeprefix(SECRET_PREFIX) if self.peer.is_for_secret_object else ""

    @property
    def address(self) -> str:
        """Where the peer comes from."""
        host, port = self.peer.address
        return f"{host}:{port}"

    @property
    def unsent(self) -> int:
        """Bytes that wait for the peer to read."""
        return self._transport.get_write_buffer_size()

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return self._held & CALL != 0

    # Serving.

    def _serve_waiting(self) -> None:
        """Serve what is complete, until something holds us."""
        reader = self._reader
        for _ in range(_MESSAGES_A_TURN):
            if self._ending or self._transport.is_closing():
                return
            try:
                message = reader.next_message()
            except FrameTooLargeError as error:
                self._refuse_large(error)
                if self._held:
                    break
                continue
            except FrameError as error:
                self._refuse_stranger(error)
                return
            if message is None:
                break
            if message.type == wire.INVOKE and self._greeted:
                self._serving.invoke(message)
            else:
                self._other(message)
            if self._held:
                break
        else:
            if reader.buffered:
                self._held |= TURN
                self._listener.loop.call_soon(self._release, TURN)
        if self._held:
            if self._watched:
                self._watched = False
                self._listener.frame_complete(self)
            return
        if reader.incomplete != self._watched and not self._ending:
            self._watched = not self._watched
            if self._watched:
                self._listener.frame_incomplete(self)
            else:
                self._listener.frame_complete(self)
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _release(self, reason: int) -> None:
        """One reason to wait is over."""
        self._held &= ~reason
        if self._ending:
            if not self._held & CALL:
                self._finish()
        elif not self._held:
            self._serve_waiting()

    def _other(self, message: Message) -> None:
        """A message that is no call."""
        if message.type == wire.CONNECT and not self._greeted:
            self._connect(message)
        elif message.type == wire.PING and self._greeted:
            self.write(message, b"pong", type=wire.PING)
        else:
            self._listener.protocol_errors += 1
            self.shut(f"message type {message.type} is out of place")

    def _refuse_large(self, error: FrameTooLargeError) -> None:
        """The message is over the limit: say so, and go on after it."""
        header = error.header
        log.info("%r: %s", self.peer, error)
        if not self._greeted:
            self._refuse_handshake(header, str(error))
        elif header.type == wire.INVOKE and header.serializer in serializers.ACCEPTED:
            self._serving.fail(header, error)
        else:
            self.shut("a message over the limit that cannot be answered")

    def _refuse_stranger(self, error: FrameError) -> None:
        """Not Pyro5's protocol, or not this version of it."""
        log.info("%r: %s", self.peer, error)
        self._listener.protocol_errors += 1
        if not self._greeted:
            # A client of another version of Pyro may be able to read this much.
            data = serializers.dumps(serializers.SERPENT, str(error))
            self._transport.write(wire.encode_message(wire.CONNECT_FAIL, 0, 0, serializers.SERPENT, data))
        self._finish()

    # Handshake.

    def _connect(self, message: Message) -> None:
        if self._refusal:
            self._refuse_handshake(message, self._refusal)
            return
        try:
            data = serializers.loads(message.serializer, message.payload)
            if not isinstance(data, dict) or not isinstance(data.get("object"), str):
                raise SerializeError("the handshake must be a dict with the entries handshake and object")
            self.peer.object_id = data["object"]
            user = self._listener.authenticate(self.peer, data.get("handshake"))
        except Exception as error:  # noqa: BLE001 - every refusal is told to the peer
            self._handshake_failed(message, error)
            return
        if isinstance(user, Awaitable):
            self._held |= CALL
            future = asyncio.ensure_future(user)
            future.add_done_callback(partial(self._authenticated, message))
        else:
            self._greet(message, user)

    def _authenticated(self, message: Message, future: asyncio.Future[object]) -> None:
        if self.peer.closed:
            if not future.cancelled():
                future.exception()
            return
        try:
            user = future.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - every refusal is told to the peer
            self._handshake_failed(message, error)
        else:
            if not self._ending:
                self._greet(message, user)
        self._release(CALL)

    def _greet(self, message: Message, user: object) -> None:
        try:
            _, exposure = self._listener.registry.lookup(self.peer.object_id)
            answer = {"handshake": "hello", "meta": exposure.metadata}
            payload = serializers.dumps(message.serializer, answer)
        except Exception as error:  # noqa: BLE001 - every refusal is told to the peer
            self._handshake_failed(message, error)
            return
        self.peer.user = user
        self._greeted = True
        self._reader.limit = self._listener.limits.message_bytes
        self._reader.drop_annotations = False
        self._listener.greeted(self)
        self.write(message, payload, type=wire.CONNECT_OK)

    def _handshake_failed(self, message: Message, error: BaseException) -> None:
        if isinstance(error, JMSError | PyroError):
            text = str(error)
        else:
            log.error("the handshake of %r failed", self.peer, exc_info=error)
            text = "the server could not judge the handshake, its log says why"
        self._refuse_handshake(message, text)

    def _refuse_handshake(self, message: Message, text: str) -> None:
        log.info("the handshake of %r is refused: %s", self.peer, text)
        self._listener.refused += 1
        # A proxy reads the refusal with the serializer that the answer names, so it can be another than its own.
        serializer = message.serializer if message.serializer in serializers.ACCEPTED else serializers.SERPENT
        data = serializers.dumps(serializer, text)
        self.write(message, data, type=wire.CONNECT_FAIL, serializer=serializer)
        self.shut("the handshake was refused")

    # What those who serve calls ask.

    def hold(self) -> None:
        """A call has no answer yet: nothing more is served until `release`."""
        self._held |= CALL

    def release(self) -> None:
        """The call is answered."""
        self._release(CALL)

    def write(
        self,
        message: Message,
        payload: bytes,
        *,
        type: int = wire.RESULT,
        flags: int = 0,
        serializer: int = 0,
        annotations: dict[str, wire.Buffer] | None = None,
    ) -> None:
        """Answer `message`."""
        data = wire.encode_message(
            type,
            flags,
            message.sequence,
            serializer or message.serializer,
            payload,
            annotations,
            message.correlation_id,
            compress=config.COMPRESSION,
        )
        self._transport.write(data)
        if self._held & WRITING and self.unsent > self._listener.limits.unsent_bytes:
            self._listener.cut_off(self, f"{self.unsent} bytes wait for it and it does not read")
