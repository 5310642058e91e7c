"""A blocking STOMP 1.2 client on a socket, for tests in which the server dies: it hides nothing and repeats nothing."""

from __future__ import annotations

import socket
import time
from collections import deque
from types import TracebackType

from support.processes import TIME_LIMIT

from rmimom.stomp.codec import SERVER_COMMANDS, Frame, FrameReader, encode_frame


class StompClient:
    """Connected when made; every method raises ConnectionError or another OSError when the server is gone.

    `heard` is when the last bytes came, in milliseconds since 1970.
    """

    def __init__(self, port: int, **headers: str) -> None:
        self.heard = 0
        self.messages: deque[Frame] = deque()
        self._receipts = 0
        self._reader = FrameReader(commands=SERVER_COMMANDS)
        self._socket = socket.create_connection(("127.0.0.1", port), TIME_LIMIT)
        try:
            self.send("CONNECT", {"accept-version": "1.2", **headers})
            assert self._frame().command == "CONNECTED"
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> StompClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, command: str, headers: dict[str, str], body: str = "") -> None:
        """Send a frame."""
        self._socket.sendall(encode_frame(command, headers, body.encode()))

    def ask(self, command: str, headers: dict[str, str], body: str = "") -> str:
        """Send a frame with a receipt; returns its number."""
        self._receipts += 1
        self.send(command, {**headers, "receipt": str(self._receipts)}, body)
        return str(self._receipts)

    def wait_receipt(self, number: str) -> None:
        """Wait for a receipt, and keep messages that come before it."""
        while (frame := self._frame()).command == "MESSAGE":
            self.messages.append(frame)
        assert (frame.command, frame.headers.get("receipt-id")) == ("RECEIPT", number), frame

    def message(self, limit: float) -> Frame | None:
        """The next message, or None if there is none for so many seconds."""
        if self.messages:
            return self.messages.popleft()
        self._socket.settimeout(limit)
        try:
            frame = self._frame()
        except TimeoutError:
            return None
        finally:
            self._socket.settimeout(TIME_LIMIT)
        assert frame.command == "MESSAGE", frame
        return frame

    def _frame(self) -> Frame:
        while (frame := self._reader.next_frame()) is None:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self.heard = time.time_ns() // 1_000_000
            self._reader.feed(data)
        return frame
