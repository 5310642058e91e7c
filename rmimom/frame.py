"""The message as it travels and rests: one frame, the same bytes from the sender to the receiver.

A frame is a MessagePack array: the header fields in the order of `Head`, then the properties (JSON text),
then the body.  The sending client makes it; the server reads the head, never the properties or the body, and
stores and forwards the bytes that came.  The body is the last element and the properties are the one before it,
and the head tells the length of both, so that a database view can cut them out of the stored frame.

Several frames travel as one batch: a MessagePack array of an exchange (`Request`) or of deliveries
(`DeliveryBatch`), in one annotation of a Pyro5 message.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

from rmimom.errors import MessageFormatError

ANNOTATION: Final = "RMOM"
"""The Pyro5 annotation that holds a batch."""

# Kinds of body (Jakarta Messaging §3.11).
NONE: Final = 0
TEXT: Final = 1
BYTES: Final = 2
MAP: Final = 3
STREAM: Final = 4
OBJECT: Final = 5
UNKNOWN: Final = -1
"""The kind of what is no frame, or was made by a newer version."""
KIND_NAMES: Final = ("none", "text", "bytes", "map", "stream", "object")

NON_PERSISTENT: Final = 1
PERSISTENT: Final = 2
"""JMSDeliveryMode, with the numbers of JMS."""

DEFAULT_PRIORITY: Final = 4


Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number that a peer chose and any store can keep; checked when bytes are decoded."""


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the server reads of a message.  Times are milliseconds since 1970 UTC; 0 means none."""

    kind: int
    mode: int
    priority: int
    timestamp: Count
    expiration: Count
    delivery_time: Count
    destination: str
    message_id: str
    properties_length: Count
    body_length: Count


class _Kind(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first field of a frame."""

    kind: int


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A whole message on the wire: the fields of `Head`, the client's own headers, properties, body."""

    kind: int
    mode: int
    priority: int
    timestamp: int
    expiration: int
    delivery_time: int
    destination: str
    message_id: str
    properties_length: int
    body_length: int
    correlation_id: str | None
    reply_to: str | None
    type: str | None
    properties: bytes
    body: bytes


class SendBatch(msgspec.Struct, array_like=True, gc=False):
    """Frames of one producer to one destination; `sequence` numbers the first of them (from 1, without gaps)."""

    producer: str
    sequence: int
    destination: str
    frames: list[msgspec.Raw]


class AckBatch(msgspec.Struct, array_like=True, gc=False):
    """Acknowledgements of one consumer: all it holds up to and including tag `up_to` (0: none), and `tags`."""

    consumer: int
    up_to: int
    tags: list[int]


class Request(msgspec.Struct, array_like=True, gc=False):
    """What one exchange call of the client asks."""

    sends: list[SendBatch]
    acks: list[AckBatch]


class CommitRequest(msgspec.Struct, array_like=True, gc=False):
    """A whole transaction: frames by destination in the order of their sending, and acknowledgements."""

    transaction: str
    number: int
    sends: list[tuple[str, list[msgspec.Raw]]]
    acks: list[AckBatch]


class Response(msgspec.Struct, array_like=True, gc=False):
    """The outcomes of an exchange in the order of its sends, then of its acks: None, or the error as plain data."""

    outcomes: list[dict[str, object] | None]


class Delivered(msgspec.Struct, array_like=True, gc=False):
    """One message for one or more consumers of a connection.

    `tag` is the number under which it is acknowledged; it stays the same across a restart of the server.
    `count` is JMSXDeliveryCount, one for each consumer in `consumers`.
    `note` is JSON text about a message that came from another mailbox (a dead letter, for example), else empty.
    """

    tag: int
    consumers: list[int]
    counts: list[int]
    frame: msgspec.Raw
    note: str = ""


class ConsumerEnd(msgspec.Struct, array_like=True, gc=False):
    """The server closed a consumer by itself; `error` is `JMSError.to_dict()`."""

    consumer: int
    error: dict[str, object]


class DeliveryBatch(msgspec.Struct, array_like=True, gc=False):
    """What the server hands a client in one call.

    `sequence` counts the batches of a connection from 1, so that a repeated call can be told from a new one.
    """

    sequence: int
    delivered: list[Delivered]
    closed: list[ConsumerEnd]


class BrowsedPage(msgspec.Struct, array_like=True, gc=False):
    """Some of what waits in a queue; `after` (priority, id) is where the next page begins, None at the end.

    With a pattern of queues that is a place in the queue `within`.
    """

    messages: list[Delivered]
    after: tuple[int, int] | None
    within: str = ""


_T = TypeVar("_T")

_kind_decoder = msgspec.msgpack.Decoder(_Kind)
_head_decoder = msgspec.msgpack.Decoder(Head)
_frame_decoder = msgspec.msgpack.Decoder(Frame)
_request_decoder = msgspec.msgpack.Decoder(Request)
_commit_decoder = msgspec.msgpack.Decoder(CommitRequest)
_response_decoder = msgspec.msgpack.Decoder(Response)
_delivery_decoder = msgspec.msgpack.Decoder(DeliveryBatch)
_page_decoder = msgspec.msgpack.Decoder(BrowsedPage)
_encoder = msgspec.msgpack.Encoder()

encode = _encoder.encode
"""Encode any structure of this module."""


def decode_head(frame: bytes | msgspec.Raw) -> Head:
    """Read the head of a frame; raises MessageFormatError if the bytes are not a frame."""
    try:
        head = _head_decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise MessageFormatError(f"the bytes are not a message frame: {error}") from None
    if not (0 <= head.kind <= OBJECT and 0 <= head.priority <= 9 and head.mode in (NON_PERSISTENT, PERSISTENT)):
        raise MessageFormatError(
            f"the frame has kind {head.kind}, mode {head.mode}, priority {head.priority}; "
            "allowed are kinds 0-5, modes 1-2, priorities 0-9"
        )
    return head


def kind_of(frame: bytes | msgspec.Raw) -> int:
    """The kind of a message, the rest of which is not looked at; UNKNOWN if the bytes are not a frame."""
    try:
        kind = _kind_decoder.decode(frame).kind
    except msgspec.MsgspecError:
        return UNKNOWN
    return kind if NONE <= kind <= OBJECT else UNKNOWN


def decode_frame(frame: bytes | msgspec.Raw) -> Frame:
    """Read a whole frame; raises MessageFormatError if the bytes are not a frame."""
    try:
        return _frame_decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise MessageFormatError(f"the bytes are not a message frame: {error}") from None


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes | memoryview, what: str) -> _T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise MessageFormatError(f"{what} is malformed: {error}") from None


def decode_request(data: bytes | memoryview) -> Request:
    """Read the batch of an exchange call; raises MessageFormatError if it is malformed."""
    return _decode(_request_decoder, data, "the exchange batch")


def decode_commit(data: bytes | memoryview) -> CommitRequest:
    """Read a transaction; raises MessageFormatError if it is malformed."""
    return _decode(_commit_decoder, data, "the transaction")


def decode_response(data: bytes | memoryview) -> Response:
    """Read the outcomes of an exchange call; raises MessageFormatError if they are malformed."""
    return _decode(_response_decoder, data, "the answer of the server")


def decode_deliveries(data: bytes | memoryview) -> DeliveryBatch:
    """Read a batch of deliveries; raises MessageFormatError if it is malformed."""
    return _decode(_delivery_decoder, data, "the delivery batch")


def decode_page(data: bytes | memoryview) -> BrowsedPage:
    """Read a page of a queue; raises MessageFormatError if it is malformed."""
    return _decode(_page_decoder, data, "the page of the queue")
