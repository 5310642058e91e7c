"""One STOMP connection without I/O: bytes in, requests to the server out; answers and messages in, bytes out.

    connecting ─► connected ─► ended
        │                        ▲
        └────────────────────────┘

Rule 1: `FRAMES` says which frame is allowed when; the chapters (`connecting`, `sending`, `subscribing`,
        `acknowledging`, `committing`) carry them out.
Rule 2: frames are carried out in the order in which they came, and their answers come in that order.  SENDs to one
        destination that came together are one command, and so are ACKs; anything else waits until they are asked.
Rule 3: a RECEIPT says that everything its frame asked for is safe.  In a transaction it says that the frame is kept;
        the RECEIPT of COMMIT is the one that counts.
Rule 4: an error is told in an ERROR frame that names the receipt.  It ends the connection if nothing that follows
        could be understood: bytes that are no frames, an unknown command, a CONNECT that is refused.

Whoever owns the session feeds it, carries out its `requests`, and writes `data_to_send`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, TypeAlias

import msgspec

from rmimom.clock import Clock
from rmimom.commands import Acknowledge, Command, CreateTemporary, Disconnect, Send
from rmimom.destination import TEMPORARY, Destination
from rmimom.errors import IllegalStateError, JMSError
from rmimom.frame import Delivered, decode_frame
from rmimom.note import decode_note
from rmimom.stomp import acknowledging, committing, connecting, sending, subscribing
from rmimom.stomp.browsing import Browser
from rmimom.stomp.codec import V1_0, V1_2, FrameReader, ProtocolError, encode_frame, escape
from rmimom.stomp.codec import Frame as StompFrame
from rmimom.stomp.destinations import Destinations
from rmimom.stomp.mapping import Writer
from rmimom.stomp.requests import Answered, Ask, Request
from rmimom.stomp.settings import Settings
from rmimom.stomp.subscription import AUTO, Subscription
from rmimom.stomp.transaction import Transaction


class Phase(Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    ENDED = "ended"


Chapter: TypeAlias = Callable[["Session", StompFrame], None]

FRAMES: Final[dict[Phase, dict[str, Chapter]]] = {
    Phase.CONNECTING: {"CONNECT": connecting.connect, "STOMP": connecting.connect},
    Phase.CONNECTED: {
        "SEND": sending.send,
        "SUBSCRIBE": subscribing.subscribe,
        "UNSUBSCRIBE": subscribing.unsubscribe,
        "ACK": acknowledging.ack,
        "NACK": acknowledging.nack,
        "BEGIN": committing.begin,
        "COMMIT": committing.commit,
        "ABORT": committing.abort,
        "DISCONNECT": connecting.disconnect,
    },
    Phase.ENDED: {},
}
_OUT_OF_PLACE: Final = {Phase.CONNECTING: "Not connected.", Phase.CONNECTED: "Already connected."}
_GATHERED: Final = frozenset({"SEND", "ACK"})


class Told(msgspec.Struct, frozen=True, gc=False):
    """A message as subscriptions that want the same transformation are told of it."""

    tag: int
    origin: str
    message_id: str
    transformation: str
    rest: bytes


class Session:
    """See the module's text.  `connection` names it in the core.

    `closing` says why the connection is to be closed once everything is written, empty while it is not.
    `blocked` stops the reading of frames until an answer is there.
    """

    def __init__(self, connection: str, settings: Settings, clock: Clock) -> None:
        self.connection = connection
        self.settings = settings
        self.clock = clock
        self.token = secrets.token_hex(8)
        self.id = f"ID:rmimom-{self.token}"
        self.user = ""
        self.client_id = ""
        self.version = V1_0
        self.phase = Phase.CONNECTING
        self.heartbeat = (0, 0)
        """Milliseconds between what we send, and between what we are sent; 0 for no beats."""
        self.names = Destinations(secrets.token_hex(16))
        self.subscriptions: dict[str, Subscription] = {}
        self.consumers: dict[int, Subscription] = {}
        self.browsers: dict[str, Browser] = {}
        self.transactions: dict[str, Transaction] = {}
        self._temporaries: set[Destination] = set()
        self.closing = ""
        self.blocked = False
        self.in_core = False
        """Whether the core was asked to let the connection in."""
        self.paused = False
        """Whether the client does not read what is written; what can wait, waits."""
        self.unanswered = 0
        """Bytes of messages that were asked to be sent and are not safe yet."""
        self._reader = FrameReader(settings.before_login, version=V1_0)
        self._requests: list[Request] = []
        self._out: list[bytes] = []
        self._writer = Writer(self.names, V1_0)
        self._messages = 0
        self._consumer = 0
        self._commits = 0
        self._sends: tuple[Destination, list[bytes], list[str]] | None = None
        self._acks: dict[int, list[int]] = {}
        self._ack_receipts: list[str] = []
        self._written: dict[int, int] = {}
        self._stalled: list[Browser] = []

    # What the owner asks.

    def receive(self, data: bytes) -> None:
        """Take bytes of the client."""
        if not self.closing:
            self._reader.feed(data)
            self.read_on()

    def read_on(self) -> None:
        """Carry out the frames that are there, until something blocks."""
        reader = self._reader
        try:
            while not (self.blocked or self.closing):
                frame = reader.next_frame()
                if frame is None:
                    break
                self._carry_out(frame)
        except ProtocolError as error:
            self.flush()
            self.refuse(error, error.receipt, close=True)
        else:
            self.flush()

    def take_requests(self) -> list[Request]:
        """What is asked of the server since this was called last, in order."""
        requests, self._requests = self._requests, []
        return requests

    def data_to_send(self) -> list[bytes]:
        """What is to be written since this was called last."""
        out, self._out = self._out, []
        return out

    def deliver(self, deliveries: Iterable[Delivered]) -> None:
        """Messages for the client."""
        if self.closing:
            return
        consumers = self.consumers
        for delivered in deliveries:
            told: Told | None = None
            for consumer, count in zip(delivered.consumers, delivered.counts, strict=True):
                subscription = consumers.get(consumer)
                if subscription is None:
                    continue  # it was closed meanwhile, and the message went back
                if not subscription.open:
                    subscription.early.append((delivered, consumer, count))
                    continue
                # Subscriptions of one connection share what is the same for them.
                if told is None or told.transformation != subscription.transformation:
                    told = self._told(delivered, subscription.transformation)
                self._write_message(subscription, told, consumer, count)

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        """The server closed a consumer by itself."""
        subscription = self.consumers.get(consumer)
        if subscription is not None:
            subscribing.forget(self, subscription)
            self.refuse(error)

    def written(self) -> None:
        """The client reads what is written: what it gets in mode `auto` counts as acknowledged, and browsers go on."""
        if self._written:
            written, self._written = self._written, {}
            self._requests += [Ask(Acknowledge(self.connection, one, up_to=tag)) for one, tag in written.items()]
        while self._stalled and not self.paused:
            self._stalled.pop().go_on(self)

    def end(self) -> list[Command]:
        """The connection is gone; what the core has to be told of that.  Twice is harmless."""
        self.phase = Phase.ENDED
        self.closing = self.closing or "the client is gone"
        return self.leave(orderly=False)

    @property
    def incomplete(self) -> bool:
        """Whether a frame has begun and its rest is awaited."""
        return not self.blocked and self._reader.incomplete

    @property
    def buffered(self) -> int:
        """Bytes that came and wait."""
        return self._reader.buffered

    # For the chapters.

    def _carry_out(self, frame: StompFrame) -> None:
        command = frame.command
        if command not in _GATHERED:
            self.flush()
        chapter = FRAMES[self.phase].get(command)
        try:
            if chapter is None:
                raise IllegalStateError(_OUT_OF_PLACE[self.phase])
            if frame.body and command != "SEND" and frame.body.strip(b"\r\n"):
                raise ProtocolError(f"a {command} frame has no body", frame.headers.get("receipt", ""))
            chapter(self, frame)
        except ProtocolError:
            raise
        except JMSError as error:
            self.flush()
            self.refuse(error, frame.headers.get("receipt", ""))

    def connected(self, version: str) -> None:
        """The client is in, and speaks this version."""
        self.phase = Phase.CONNECTED
        self.version = version
        self._reader.version = version
        self._reader.limits = self.settings.limits
        self._writer = Writer(self.names, version)

    def ask(self, command: Command, answered: Answered | None = None) -> None:
        """Ask something of the core."""
        self._requests.append(Ask(command, answered))

    def request(self, request: Request) -> None:
        """Ask something of the server."""
        self._requests.append(request)

    def write(self, data: bytes) -> None:
        """Write a frame."""
        self._out.append(data)

    def receipt(self, number: str | None) -> None:
        """Tell that what a frame asked for is done, if it wanted to know (STOMP 1.2, receipt)."""
        if number is not None:
            self._out.append(f"RECEIPT\nreceipt-id:{escape(number, self.version)}\n\n\x00".encode("utf-8", "replace"))

    def receipt_or_error(self, number: str | None) -> Answered:
        """What is to be done when a command is answered: tell it."""

        def answered(value: object, error: JMSError | None) -> None:
            del value
            if error is not None:
                self.refuse(error, number or "")
            else:
                self.receipt(number)

        return answered

    def refuse(self, error: JMSError, receipt: str = "", *, close: bool = False, **headers: str) -> None:
        """Tell an error; with `close` it is the last thing that is told."""
        if self.closing:
            return
        text = error.text
        told = {"message": text.partition("\n")[0], "content-type": "text/plain", **headers}
        if receipt:
            told["receipt-id"] = receipt
        body = f"{text}\n".encode("utf-8", "replace").replace(b"\x00", b" ")
        told = {name: value.encode("utf-8", "replace").decode() for name, value in told.items()}
        self._out.append(encode_frame("ERROR", told, body, version=self.version, content_length=True))
        if close:
            self.closing = text

    def make_temporary(self, destinations: Iterable[Destination]) -> None:
        """Have those of these made that are temporary ones of this connection and are not there yet."""
        for one in destinations:
            if isinstance(one, TEMPORARY) and self.names.is_own(one) and one not in self._temporaries:
                self.flush()
                self._temporaries.add(one)
                self.ask(CreateTemporary(self.connection, one))

    def next_message_id(self) -> str:
        """An id that no other message has (§3.4.3)."""
        self._messages += 1
        return f"{self.id}-{self._messages}"

    def next_consumer(self) -> int:
        """A number for a consumer."""
        self._consumer += 1
        return self._consumer

    def next_commit(self) -> int:
        """A number for a transaction."""
        self._commits += 1
        return self._commits

    def gather_send(self, destination: Destination, frame: bytes, receipt: str | None) -> None:
        """A message for one destination; those that came together go together."""
        sends = self._sends
        # Most often it is the same object, for the session's names are kept.
        if sends is None or (sends[0] is not destination and sends[0] != destination):
            self._flush_sends()
            sends = self._sends = (destination, [], [])
        sends[1].append(frame)
        if receipt is not None:
            sends[2].append(receipt)

    def gather_acks(self, consumer: int, tags: list[int], receipt: str | None) -> None:
        """Messages that the client is done with."""
        gathered = self._acks.get(consumer)
        if gathered is None:
            self._acks[consumer] = tags
        else:
            gathered += tags
        if receipt is not None:
            self._ack_receipts.append(receipt)

    def flush(self) -> None:
        """Ask for what was gathered: what was sent first, for an ACK may follow the message that answers."""
        self._flush_sends()
        if self._acks:
            acks, self._acks = self._acks, {}
            receipts, self._ack_receipts = self._ack_receipts, []
            last = len(acks) - 1
            for index, (consumer, tags) in enumerate(acks.items()):
                answered = self._answer_all(receipts, 0) if index == last and receipts else None
                self.ask(Acknowledge(self.connection, consumer, tags=tags), answered)

    def _flush_sends(self) -> None:
        sends = self._sends
        if sends is None:
            return
        self._sends = None
        destination, frames, receipts = sends
        size = sum(map(len, frames))
        self.unanswered += size
        self.ask(Send(self.connection, "", 0, destination, frames), self._answer_all(receipts, size))

    def _answer_all(self, receipts: list[str], size: int) -> Answered:
        def answered(value: object, error: JMSError | None) -> None:
            del value
            self.unanswered -= size
            if error is not None:
                for receipt in receipts or [""]:
                    self.refuse(error, receipt)
            else:
                for receipt in receipts:
                    self.receipt(receipt)

        return answered

    def open(self, subscription: Subscription) -> None:
        """The subscription is accepted: what came for it already can be told."""
        subscription.open = True
        early, subscription.early = subscription.early, []
        for delivered, consumer, count in early:
            self._write_message(subscription, self._told(delivered, subscription.transformation), consumer, count)

    def _told(self, delivered: Delivered, transformation: str) -> Told:
        frame = decode_frame(delivered.frame)
        rest = self._writer.rest(frame, delivered.note, transformation)
        # Who consumes from many queues is told which one it was.
        origin = decode_note(delivered.note).taken_from if delivered.note else ""
        return Told(delivered.tag, origin or frame.destination, frame.message_id, transformation, rest)

    def _write_message(self, subscription: Subscription, told: Told, consumer: int, count: int) -> None:
        ack = ""
        if subscription.ack == AUTO:
            self._written[consumer] = told.tag
        else:
            key = f"{consumer}-{told.tag}"
            subscription.hold(key, told.tag, consumer, told.message_id)
            if self.version == V1_2:
                ack = f"ack:{key}\n"
        writer = self._writer
        lines = subscription.lines(consumer, told.origin, writer.destination)
        self._out.append(writer.message(lines, ack, count, told.rest))

    def write_browsed(self, browser: Browser, delivered: Delivered) -> None:
        """Tell a message that is only looked at."""
        writer = self._writer
        queue = decode_note(delivered.note).taken_from or str(browser.queue)
        lines = f"{writer.destination(queue)}subscription:{escape(browser.id, self.version)}\n"
        rest = writer.rest(decode_frame(delivered.frame), delivered.note)
        self._out.append(writer.message(lines, "", delivered.counts[0], rest))

    def stall(self, browser: Browser) -> None:
        """Let a browser go on when the client reads."""
        self._stalled.append(browser)

    def leave(self, *, orderly: bool) -> list[Command]:
        """The commands that take the connection out of the core."""
        if not self.in_core:
            return []
        self.in_core = False
        self.consumers = {}
        return [Disconnect(self.connection, orderly)]
