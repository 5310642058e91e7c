"""STOMP in WebSocket messages, for browsers: the same connection with another wrapping.

A message of the client, text or binary, holds any piece of the byte stream.  Each frame of ours is one message: text,
or binary if it is no UTF-8.  wsproto does the protocol without I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from rmimom.listeners.stomp.connection import StompConnection
from rmimom.stomp.codec import BEAT

if TYPE_CHECKING:
    from rmimom.listeners.stomp.listener import StompListener

SUBPROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")
"""The best first; the version itself is agreed on by CONNECT."""
_POLICY_VIOLATION: Final = 1008
_NORMAL: Final = 1000


class WebSocketConnection(StompConnection):
    """The server's end of a client that speaks STOMP in WebSocket messages."""

    def __init__(self, listener: StompListener) -> None:
        super().__init__(listener)
        self._socket = WSConnection(ConnectionType.SERVER)
        self._early: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.received += len(data)
        self._heard = self._loop.time()
        try:
            self._socket.receive_data(data)
            for event in self._socket.events():
                self._happened(event)
        except RemoteProtocolError as error:
            hint = getattr(error, "event_hint", None)
            if hint is not None:
                self._transport.write(self._socket.send(hint))
            self.session.closing = self.session.closing or f"no WebSocket: {error}"
            self._transport.close()

    def _happened(self, event: Event) -> None:
        if isinstance(event, TextMessage):
            self._take(event.data.encode("utf-8", "replace"))
        elif isinstance(event, BytesMessage):
            self._take(bytes(event.data))
        elif isinstance(event, Request):
            self._greet(event)
        elif isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, CloseConnection):
            if self._socket.state is not ConnectionState.CLOSED:
                self._send(event.response())
            self._transport.close()

    def _greet(self, request: Request) -> None:
        chosen = next((one for one in SUBPROTOCOLS if one in request.subprotocols), None)
        if request.subprotocols and chosen is None:
            self._send(RejectConnection(status_code=400, headers=[(b"content-length", b"0")]))
            self.session.closing = "no sub-protocol of STOMP was offered"
            self._transport.close()
            return
        self._send(AcceptConnection(subprotocol=chosen))
        early, self._early = self._early, []
        if early:
            self._write(early)
        if self.session.closing:
            self._finish()

    def _send(self, event: Event) -> None:
        try:
            self._transport.write(self._socket.send(event))
        except LocalProtocolError:
            pass  # the other side has closed it meanwhile

    @property
    def _is_open(self) -> bool:
        return self._socket.state is ConnectionState.OPEN

    def _write(self, frames: list[bytes]) -> None:
        if not self._is_open:
            self._early += frames
            return
        self._transport.write(b"".join(self._socket.send(_message(frame)) for frame in frames))

    def _write_beat(self) -> None:
        if self._is_open:
            self._send(TextMessage(BEAT.decode()))

    def _finish(self) -> None:
        if self._socket.state is ConnectionState.CONNECTING:
            return  # what there is to say is said when the greeting is over
        if self._is_open:
            disconnected = self.session.closing == "the client disconnected"
            self._send(CloseConnection(_NORMAL if disconnected else _POLICY_VIOLATION, self.session.closing[:100]))
        self._transport.close()


def _message(frame: bytes) -> Event:
    try:
        return TextMessage(frame.decode())
    except UnicodeDecodeError:
        return BytesMessage(frame)
