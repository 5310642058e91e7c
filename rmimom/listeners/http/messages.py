"""The messages of a queue: look at them, send, copy, move, remove; and dead letters, which are such messages, too."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec

from rmimom.commands import Send
from rmimom.core.place import QueuePlace
from rmimom.core.state import SERVER
from rmimom.destination import Destination, parse_destination
from rmimom.errors import InvalidDestinationError, MessageTooLargeError
from rmimom.frame import BYTES, Delivered, Frame, decode_frame
from rmimom.listeners.http.destinations import find_place
from rmimom.listeners.http.message import (
    MOST_BODY,
    BodyForm,
    MessageDetail,
    NewMessage,
    Summary,
    body_of,
    copy_of,
    frames_of,
    summary_of,
)
from rmimom.listeners.http.operation import LARGE_BODY, Binary, Call, Nothing, Operation, changeable
from rmimom.listeners.http.paging import Limit
from rmimom.listeners.http.problems import Refusal, bad_request, not_found
from rmimom.listeners.http.searching import (
    MOST_BYTES,
    MOST_EXAMINED,
    Cursor,
    Selector,
    Text,
    place_of,
    read_cursor,
    search,
)
from rmimom.roles import OPERATOR

SENT_AT_ONCE: Final = 200
"""Messages of one commit."""
SENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes that one request sends, all copies together."""


class MessageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages are wanted, and where to begin."""

    cursor: Cursor = ""
    limit: Limit = 50
    selector: Selector = ""
    text: Text = ""


class MessagePage(msgspec.Struct, frozen=True):
    """Messages in the order of delivery.

    `next` is the cursor of the next page, null at the end of the queue.  A page may hold fewer messages than its limit,
    even none, and not be the last one: a search looks at some thousand messages (`examined`) for one page.
    """

    items: list[Summary]
    next: str | None
    examined: int


class BodyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """In which form the body is wanted, and how many bytes of it."""

    body: BodyForm = "auto"
    bytes: Annotated[int, msgspec.Meta(ge=0, le=MOST_BODY)] = 256 * 1024


class Sent(msgspec.Struct, frozen=True):
    """How many messages were sent, and the ids of the first 1000 of them."""

    count: int
    message_ids: list[str]


class Resend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A copy to send, changed; what is left out is as in the message.

    `to` is where it goes, `queue://NAME` or `topic://NAME`; if it is left out a dead letter goes to where it came from,
    and any other message to its own queue.
    """

    to: str | None = None
    message: dict[str, Any] = {}


async def list_messages(call: Call[MessageQuery, None]) -> MessagePage:
    """List what waits in a queue, in the order of delivery; nothing is consumed.

    What is held by a consumer, delayed, expired or in doubt after a restart does not wait.
    """
    engine, query = call.engine, call.query
    place = find_place(call, call.queue)
    if not isinstance(place, QueuePlace):
        raise not_found(f"{place.destination} is no queue")
    items: list[Summary] = []
    examined = size = 0
    async for piece in search(engine, call.queue, query.selector, query.text, read_cursor(query.cursor)):
        examined += piece.examined
        size += piece.bytes
        after = piece.after
        for index, message in enumerate(piece.found):
            items.append(summary_of_delivered(message))
            if len(items) == query.limit:
                more = after is not None or index + 1 < len(piece.found)
                return MessagePage(items, str(place_of(message)) if more else None, examined)
        if after is not None and (examined >= MOST_EXAMINED or size >= MOST_BYTES):
            return MessagePage(items, str(after), examined)
    return MessagePage(items, None, examined)


def summary_of_delivered(message: Delivered) -> Summary:
    """A message that a search found, for a list."""
    return summary_of(message.tag, message.frame, message.counts[0] - 1, message.note)


async def show_message(call: Call[BodyQuery, None]) -> MessageDetail:
    """Show one message with its body, wherever it is in the queue."""
    number, frame, note, deliveries, state = await _find(call)
    summary = summary_of(number, frame, deliveries, note)
    return MessageDetail(summary, state, body_of(decode_frame(frame), call.query.body, call.query.bytes))


async def download_body(call: Call[Nothing, None]) -> Binary:
    """The body of one message as it is, for saving."""
    number, frame, *_ = await _find(call)
    return Binary(decode_frame(frame).body, "application/octet-stream", f"message-{number}.bin")


async def _find(call: Call[Any, Any]) -> tuple[int, bytes, str, int, str]:
    engine = call.engine
    place = find_place(call, call.queue)
    number = message_number(call.path["id"])
    found = place.mailbox.find(number) if isinstance(place, QueuePlace) else None
    if found is None:
        raise not_found(
            f"there is no message {number} in {place.destination} (any more): it was consumed, moved, or has expired",
            id=number,
        )
    frame = found.entry.frame
    if frame is None:
        frame = (await engine.frames([number])).get(number)
    if frame is None:
        raise not_found(f"message {number} was consumed just now", id=number)
    return number, frame, found.past.note, found.past.returns, found.state


def message_number(text: str) -> int:
    """The id of a message in a path; raises Refusal."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise not_found(f"messages are known by numbers, not by {text[:100]!r}")
    return int(text)


async def send_to_queue(call: Call[Nothing, NewMessage]) -> Sent:
    """Send a message to a queue; it is on disk when the answer comes."""
    return await _send(call, call.queue)


async def send_to_topic(call: Call[Nothing, NewMessage]) -> Sent:
    """Send a message to a topic; it is on disk for durable subscriptions when the answer comes."""
    return await _send(call, call.topic)


async def _send(call: Call[Nothing, NewMessage], wanted: Destination) -> Sent:
    destination = changeable(wanted)
    asked = call.body
    ids = new_message_ids(asked.count)
    [first] = frames_of(asked, destination, ids[:1], call.view.clock.now())
    _check_bytes(len(first) * asked.count)
    for start in range(0, asked.count, SENT_AT_ONCE):
        part = ids[start : start + SENT_AT_ONCE]
        frames = frames_of(asked, destination, part, call.view.clock.now())
        await call.engine.submit(Send(SERVER, "", 0, destination, frames))
    return Sent(asked.count, ids[:1000])


def _check_bytes(size: int) -> None:
    if size > SENT_BYTES:
        raise MessageTooLargeError(
            f"{size} bytes are too many for one request; send at most {SENT_BYTES} at a time",
            size=size,
            limit=SENT_BYTES,
        )


def new_message_ids(count: int) -> list[str]:
    """JMSMessageIDs that nobody else has."""
    prefix = f"ID:http-{secrets.token_hex(8)}-"
    return [f"{prefix}{number}" for number in range(1, count + 1)]


async def resend_message(call: Call[Nothing, Resend]) -> Sent:
    """Send an edited copy of a message; the message itself stays where it is."""
    _, data, note, *_ = await _find(call)
    frame = decode_frame(data)
    summary = summary_of(0, data, 0, note)
    origin = summary.dead_letter.original_destination if summary.dead_letter is not None else str(call.queue)
    destination = read_destination(call.body.to or origin)
    if not call.body.message:
        frames = [copy_of(frame, destination, new_message_ids(1)[0])]
        ids = [decode_frame(frames[0]).message_id]
    else:
        asked = _edited(frame, summary, call.body.message)
        ids = new_message_ids(asked.count)
        frames = frames_of(asked, destination, ids, call.view.clock.now())
    _check_bytes(sum(map(len, frames)))
    await call.engine.submit(Send(SERVER, "", 0, destination, frames))
    return Sent(len(frames), ids[:1000])


def _edited(frame: Frame, summary: Summary, changes: dict[str, object]) -> NewMessage:
    kept: dict[str, object] = {
        "kind": summary.kind,
        "properties": summary.properties,
        "priority": summary.priority,
        "persistent": summary.persistent,
        "correlation_id": summary.correlation_id,
        "reply_to": summary.reply_to,
        "type": summary.type,
    }
    if "body" not in changes:
        body = body_of(frame, "base64" if frame.kind == BYTES else "auto", len(frame.body))
        kept["body"] = {"text": body.text, "json": body.json, "base64": body.base64}.get(body.form)
    try:
        return msgspec.convert({**kept, **changes}, NewMessage)
    except msgspec.ValidationError as error:
        raise bad_request(f"the message cannot be sent: {error}") from None


def read_destination(text: str) -> Destination:
    """The queue or topic that an order names; raises Refusal."""
    try:
        return changeable(parse_destination(text))
    except InvalidDestinationError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, error) from None


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/queues/{name}/messages",
        handler=list_messages,
        tag="messages",
        query=MessageQuery,
        answer=MessagePage,
    ),
    Operation(
        method="POST",
        path="/queues/{name}/messages",
        handler=send_to_queue,
        tag="messages",
        role=OPERATOR,
        body=NewMessage,
        answer=Sent,
        status=HTTPStatus.CREATED,
        max_body=LARGE_BODY,
    ),
    Operation(
        method="POST",
        path="/topics/{name}/messages",
        handler=send_to_topic,
        tag="messages",
        role=OPERATOR,
        body=NewMessage,
        answer=Sent,
        status=HTTPStatus.CREATED,
        max_body=LARGE_BODY,
    ),
    Operation(
        method="GET",
        path="/queues/{name}/messages/{id}",
        handler=show_message,
        tag="messages",
        query=BodyQuery,
        answer=MessageDetail,
    ),
    Operation(
        method="GET",
        path="/queues/{name}/messages/{id}/body",
        handler=download_body,
        tag="messages",
        answer=Binary,
    ),
    Operation(
        method="POST",
        path="/queues/{name}/messages/{id}/resend",
        handler=resend_message,
        tag="messages",
        role=OPERATOR,
        body=Resend,
        answer=Sent,
        status=HTTPStatus.CREATED,
        max_body=LARGE_BODY,
    ),
)
