"""Calls to remote objects: stock Pyro5 proxies, with a time limit on everything, and our errors on the way out.

`Channel.call` is a proxy's ordinary call.  An exchange, which carries the messages, is a call cut in two,
`send_exchange` and `receive_exchange`: the thread that sends need not be the one that waits for the answer.  Both speak
Pyro5's own wire through Pyro5's own functions on the proxy's connection; the call itself is always the same few bytes
of JSON, made once, and the batch travels beside it in an annotation.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from Pyro5 import errors as pyro_errors
from Pyro5 import protocol, serializers
from Pyro5.callcontext import current_context
from Pyro5.client import Proxy

from rmimom.errors import ConnectionFailedError, JMSError, StoreError
from rmimom.frame import ANNOTATION, CommitRequest, Request
from rmimom.rmi.exceptions import TRACEBACK, register_errors
from rmimom.rmi.wire import HEADER, HEADER_SIZE, NO_CORRELATION

CALL_TIMEOUT: Final = 30.0
"""Seconds that any single call may take; a server that is silent for longer is taken for lost.

Long enough for a disk that stalls, short enough that a stopped machine is noticed before people are."""
SLOWEST_RATE: Final = 1_000_000
"""Bytes a second: what a large batch may take beside `CALL_TIMEOUT`."""
CONNECT_TIMEOUT: Final = 5.0
"""Seconds to wait for a TCP connection and Pyro5's handshake."""

_CHUNK: Final = struct.Struct("!4sI")  # the name and length of an annotation
_BATCH_AT: Final = HEADER_SIZE + _CHUNK.size
_MAGIC: Final[int] = protocol._magic_number
_FIRST_READ: Final = 64 * 1024
_KEPT_BUFFER: Final = 4 * 1024 * 1024

_encode_into = msgspec.msgpack.Encoder().encode_into


class Channel:
    """One TCP connection to one remote object, for one thread at a time.

    Every method raises ConnectionFailedError when the object cannot be reached or does not answer in time, after which
    the channel is useless; other JMSErrors are the object's own answer.
    """

    def __init__(self, uri: str, *, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        register_errors()
        self.uri = uri
        self.closed = False
        """Whether the channel is useless: closed, or it failed."""
        self._proxy: Any = _proxy(uri, connect_timeout)
        try:
            with _no_annotations():
                self._proxy._pyroBind()
        except (pyro_errors.PyroError, OSError) as error:
            raise _failed(uri, error) from error
        self._limit = -1.0
        # An exchange is written in one piece, but Nagle's algorithm would hold back the end of a large one.
        _socket_of(self._proxy).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._serializer: Any = serializers.serializers["json"]
        self._exchange_call = self._encode_call("exchange")
        self._buffer = bytearray()
        self._poll = select.poll()
        self._poll.register(_socket_of(self._proxy), select.POLLIN)

    def call(self, method: str, *arguments: object, time_limit: float = CALL_TIMEOUT) -> Any:
        """Call a method and wait for its answer, at most `time_limit` seconds."""
        return self._guarded(self._invoke, method, arguments, time_limit)

    def fetch(self, wait: float, after: int) -> memoryview | None:
        """The next batch of deliveries after number `after`, or None after `wait` seconds."""
        found: memoryview | None = self._guarded(self._fetch, wait, after)
        return found

    def send_exchange(self, request: Request) -> None:
        """Begin an exchange.  `receive_exchange` must follow before anything else is done with the channel."""
        self._guarded(self._send, self._exchange_call, request)

    def receive_exchange(self) -> memoryview:
        """The answer of the exchange that was begun."""
        found: memoryview | None = self._guarded(self._receive)
        if found is None:
            self.close()
            raise ConnectionFailedError(f"the server's answer to an exchange has no annotation {ANNOTATION}")
        return found

    def commit(self, request: CommitRequest) -> None:
        """Have a transaction committed; returns when all of it is on disk."""
        self._guarded(self._commit, request)

    def readable(self, wait: float) -> bool:
        """Whether an answer, or the end of the connection, can be read within `wait` seconds."""
        return bool(self._poll.poll(wait * 1000))

    def close(self) -> None:
        """End the TCP connection.  Any thread may do it, twice is harmless; a call under way in another thread fails.

        The file descriptor is closed by the thread that uses the channel, or with the channel itself: if it were closed
        here, the next connection could get the same number, and the other thread would wait on that one.
        """
        self.closed = True
        connection = self._proxy._pyroConnection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _abandon(self) -> None:
        """A call in this thread failed: nobody can use the channel any more."""
        self.closed = True
        connection = self._proxy._pyroConnection
        if connection is not None:
            connection.close()

    def _invoke(self, method: str, arguments: tuple[object, ...], time_limit: float) -> Any:
        proxy = self._proxy
        proxy._pyroClaimOwnership()
        self._connection()
        self._set_limit(time_limit)
        with _no_annotations():
            return proxy._pyroInvoke(method, arguments, {})

    def _encode_call(self, method: str, *arguments: object) -> bytes:
        encoded: bytes = self._serializer.dumpsCall(self._proxy._pyroConnection.objectId, method, arguments, {})
        return encoded

    def _commit(self, request: CommitRequest) -> None:
        self._connection()
        self._send(self._encode_call("commit"), request)
        self._receive()

    def _send(self, call: bytes, request: Request | CommitRequest) -> None:
        proxy = self._proxy
        connection = self._connection()
        proxy._pyroSeq = (proxy._pyroSeq + 1) & 0xFFFF
        # One buffer for the whole message, used again each time: making it from parts, as Pyro5's SendingMessage does,
        # copies a megabyte three times into fresh memory, and takes longer than all the rest of sending.
        buffer = self._buffer
        _encode_into(request, buffer, _BATCH_AT)
        batch_size = len(buffer) - _BATCH_AT
        self._set_limit(CALL_TIMEOUT + batch_size // SLOWEST_RATE)
        buffer += call
        HEADER.pack_into(
            buffer,
            0,
            b"PYRO",
            protocol.PROTOCOL_VERSION,
            protocol.MSG_INVOKE,
            self._serializer.serializer_id,
            0,
            proxy._pyroSeq,
            len(call),
            batch_size + _CHUNK.size,
            NO_CORRELATION,
            0,
            _MAGIC,
        )
        _CHUNK.pack_into(buffer, HEADER_SIZE, ANNOTATION.encode("ascii"), batch_size)
        connection.sock.sendall(buffer)
        if len(buffer) > _KEPT_BUFFER:
            self._buffer = bytearray()

    def _fetch(self, wait: float, after: int) -> memoryview | None:
        proxy = self._proxy
        connection = self._connection()
        self._set_limit(wait + CALL_TIMEOUT)
        proxy._pyroSeq = (proxy._pyroSeq + 1) & 0xFFFF
        call = self._encode_call("fetch", wait, after)
        message = protocol.SendingMessage(protocol.MSG_INVOKE, 0, proxy._pyroSeq, self._serializer.serializer_id, call)
        connection.sock.sendall(message.data)
        return self._receive()

    def _receive(self) -> memoryview | None:
        """The annotation of the answer to the call that was sent last; raises the error that the answer holds."""
        proxy = self._proxy
        message = _read_message(self._connection().sock, self._limit)
        if message.type != protocol.MSG_RESULT or message.seq != proxy._pyroSeq:
            raise pyro_errors.ProtocolError(f"message {message!r} is not the answer to call {proxy._pyroSeq}")
        if message.flags & protocol.FLAGS_EXCEPTION:
            raise self._serializer.loads(message.data)
        found: memoryview | None = message.annotations.get(ANNOTATION)
        return found

    def _set_limit(self, seconds: float) -> None:
        if seconds != self._limit:
            self._proxy._pyroTimeout = self._limit = seconds

    def _connection(self) -> Any:
        connection = self._proxy._pyroConnection
        if self.closed or connection is None:
            # A proxy would connect again by itself, to a server that may be another one by now.
            raise pyro_errors.ConnectionClosedError("the connection was lost before")
        return connection

    def _guarded(self, act: Any, *arguments: object) -> Any:
        try:
            return act(*arguments)
        except (pyro_errors.PyroError, OSError) as error:
            self._abandon()
            raise _failed(self.uri, error) from error
        except JMSError as error:
            # A server whose store failed is ending and does not know what it did, just as if it had been killed.
            if error.facts.get("connection") != "closed" and not isinstance(error, StoreError):
                raise
            self._abandon()
            raise _failed(self.uri, error) from error
        except Exception as error:
            if hasattr(error, TRACEBACK):
                raise _unexpected(self.uri, error) from error
            raise
        except BaseException:
            # Interrupted, by ctrl-C for one: an answer may still come, and nobody would know whose it is.
            self._abandon()
            raise


@contextlib.contextmanager
def _no_annotations() -> Iterator[None]:
    """Pyro5 sends the annotations of the thread with every call: those of the application are not for our server.

    In an application's own Pyro5 method they are even those of the call it serves.
    """
    kept, current_context.annotations = current_context.annotations, {}
    try:
        yield
    finally:
        current_context.annotations = kept


def _read_message(sock: socket.socket, time_limit: float) -> Any:
    """Read one message, in one piece if it is small; Pyro5's own `recv_stub` takes three calls for every message."""
    deadline = time.monotonic() + time_limit
    data = bytearray(_read_some(sock, deadline))
    while len(data) < HEADER_SIZE:
        data += _read_some(sock, deadline)
    message = protocol.ReceivingMessage(data[:HEADER_SIZE])
    have = len(data)
    size = HEADER_SIZE + message.annotations_size + message.data_size
    if have < size:
        # Room for all of it at once: it may be a megabyte.
        data += bytes(size - have)
        view = memoryview(data)
        while have < size:
            read = sock.recv_into(view[have:])
            if not read or time.monotonic() > deadline:
                raise pyro_errors.ConnectionClosedError("the answer ended in the middle")
            have += read
    elif have > size:
        raise pyro_errors.ProtocolError("more came than the answer")
    message.add_payload(memoryview(data)[HEADER_SIZE:])
    return message


def _read_some(sock: socket.socket, deadline: float) -> bytes:
    data = sock.recv(_FIRST_READ)
    if not data:
        raise pyro_errors.ConnectionClosedError("the connection was closed by the server")
    if time.monotonic() > deadline:
        raise pyro_errors.TimeoutError("the answer came too slowly")
    return data


def call_once(uri: str, method: str, *arguments: object, time_limit: float = CONNECT_TIMEOUT) -> Any:
    """Connect, call one method, and release the connection at once.  Raises ConnectionFailedError and JMSErrors."""
    register_errors()
    try:
        with _proxy(uri, time_limit) as proxy, _no_annotations():
            return proxy._pyroInvoke(method, arguments, {})
    except (pyro_errors.NamingError, JMSError):
        raise
    except (pyro_errors.PyroError, OSError) as error:
        raise _failed(uri, error) from error
    except Exception as error:
        if hasattr(error, TRACEBACK):
            raise _unexpected(uri, error) from error
        raise


def _proxy(uri: str, time_limit: float) -> Any:
    proxy = Proxy(uri)
    proxy._pyroTimeout = time_limit
    proxy._pyroMaxRetries = 0
    proxy._pyroSerializer = "serpent"
    return proxy


def _socket_of(proxy: Any) -> socket.socket:
    found: socket.socket = proxy._pyroConnection.sock
    return found


def local_address(channel: Channel) -> str:
    """The address of this machine as the server sees it when nothing translates addresses in between."""
    with contextlib.suppress(OSError, AttributeError):
        return str(_socket_of(channel._proxy).getsockname()[0])
    return "localhost"


def _failed(uri: str, error: BaseException) -> ConnectionFailedError:
    # The text after the @ only: before it stands the key to the connection.
    place = uri.rpartition("@")[2]
    return ConnectionFailedError(f"the server at {place} cannot be reached: {error}", server=place)


def _unexpected(uri: str, error: Exception) -> JMSError:
    """The other side failed with an error that is none of ours."""
    place = uri.rpartition("@")[2]
    return JMSError(f"the object at {place} failed: {type(error).__name__}: {error}", server=place)
