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
from typing import Any, Final

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol, serializers
from Pyro5.callcontext import current_context
from Pyro5.client import Proxy

from rmimom.errors import ConnectionFailedError, JMSError
from rmimom.frame import ANNOTATION
from rmimom.rmi.exceptions import TRACEBACK, register_errors

CALL_TIMEOUT: Final = 30.0
"""Seconds that any single call may take; a server that is silent for longer is taken for lost.

Long enough for a disk that stalls, short enough that a stopped machine is noticed before people are."""
CONNECT_TIMEOUT: Final = 5.0
"""Seconds to wait for a TCP connection and Pyro5's handshake."""


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
            self._proxy._pyroBind()
        except (pyro_errors.PyroError, OSError) as error:
            raise _failed(uri, error) from error
        self._limit = -1.0
        # An exchange is written in one piece, but Nagle's algorithm would hold back the end of a large one.
        _socket_of(self._proxy).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._serializer: Any = serializers.serializers["json"]
        self._call: bytes = self._serializer.dumpsCall(self._proxy._pyroConnection.objectId, "exchange", (), {})
        self._poll = select.poll()
        self._poll.register(_socket_of(self._proxy), select.POLLIN)

    def call(self, method: str, *arguments: object, time_limit: float = CALL_TIMEOUT) -> Any:
        """Call a method and wait for its answer, at most `time_limit` seconds."""
        return self._guarded(self._invoke, method, arguments, time_limit)

    def fetch(self, wait: float, after: int) -> memoryview | None:
        """The next batch of deliveries after number `after`, or None after `wait` seconds."""
        self.call("fetch", wait, after, time_limit=wait + CALL_TIMEOUT)
        found: memoryview | None = current_context.response_annotations.get(ANNOTATION)
        return found

    def send_exchange(self, batch: bytes) -> None:
        """Begin an exchange.  `receive_exchange` must follow before anything else is done with the channel."""
        self._guarded(self._send, batch)

    def receive_exchange(self) -> bytes | memoryview:
        """The answer of the exchange that was begun."""
        found: bytes | memoryview = self._guarded(self._receive)
        return found

    def readable(self) -> bool:
        """Whether an answer, or the end of the connection, can be read without waiting."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close the TCP connection.  Twice is harmless; a call under way in another thread fails."""
        self.closed = True
        connection = self._proxy._pyroConnection
        if connection is not None:
            connection.close()

    def _invoke(self, method: str, arguments: tuple[object, ...], time_limit: float) -> Any:
        proxy = self._proxy
        proxy._pyroClaimOwnership()
        self._connection()
        self._set_limit(time_limit)
        return proxy._pyroInvoke(method, arguments, {})

    def _send(self, batch: bytes) -> None:
        proxy = self._proxy
        connection = self._connection()
        self._set_limit(CALL_TIMEOUT)
        proxy._pyroSeq = (proxy._pyroSeq + 1) & 0xFFFF
        message = protocol.SendingMessage(
            protocol.MSG_INVOKE,
            0,
            proxy._pyroSeq,
            self._serializer.serializer_id,
            self._call,
            annotations={ANNOTATION: batch},
        )
        connection.send(message.data)

    def _receive(self) -> bytes | memoryview:
        proxy = self._proxy
        message = protocol.recv_stub(self._connection(), [protocol.MSG_RESULT])
        if message.seq != proxy._pyroSeq:
            raise pyro_errors.ProtocolError(f"the answer has number {message.seq}, the call {proxy._pyroSeq}")
        if message.flags & protocol.FLAGS_EXCEPTION:
            raise self._serializer.loads(message.data)
        found: bytes | memoryview | None = message.annotations.get(ANNOTATION)
        if found is None:
            raise pyro_errors.ProtocolError(f"the answer to an exchange has no annotation {ANNOTATION}")
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
            self.close()
            raise _failed(self.uri, error) from error
        except JMSError as error:
            if error.facts.get("connection") != "closed":
                raise
            self.close()
            raise _failed(self.uri, error) from error
        except Exception as error:
            if hasattr(error, TRACEBACK):
                raise JMSError(f"the server failed: {type(error).__name__}: {error}") from error
            raise
        except BaseException:
            # Interrupted, by ctrl-C for one: an answer may still come, and nobody would know whose it is.
            self.close()
            raise


def call_once(uri: str, method: str, *arguments: object, time_limit: float = CONNECT_TIMEOUT) -> Any:
    """Connect, call one method, and release the connection at once.  Raises ConnectionFailedError and JMSErrors."""
    register_errors()
    try:
        with _proxy(uri, time_limit) as proxy:
            return proxy._pyroInvoke(method, arguments, {})
    except (pyro_errors.NamingError, JMSError):
        raise
    except (pyro_errors.PyroError, OSError) as error:
        raise _failed(uri, error) from error


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
