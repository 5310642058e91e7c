"""Orders for many messages of a queue: remove, move, copy, bury, retry, receive.

The messages are named by their ids, or chosen by selector and text, or all are meant.  What is chosen is searched for
in pieces (`searching.py`), and each piece is carried out as one command: it is in the store whole or not at all, no
message is lost or in two places whatever happens, and delivery goes on in between.  Messages that come while an order
is carried out are not concerned by it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from rmimom.commands import Bury, Command, Move, Remove, Retry, Send
from rmimom.core.place import QueuePlace
from rmimom.core.state import SERVER
from rmimom.destination import Queue
from rmimom.frame import Delivered, decode_frame
from rmimom.listeners.http.destinations import find_place
from rmimom.listeners.http.message import MOST_BODY, MessageDetail, body_of, copy_of
from rmimom.listeners.http.messages import new_message_ids, read_destination, summary_of_delivered
from rmimom.listeners.http.operation import Call, Handler, Nothing, Operation, changeable
from rmimom.listeners.http.problems import bad_request
from rmimom.listeners.http.searching import PIECE, Cursor, Place, Selector, Text, place_of, read_cursor, search
from rmimom.note import MAX_REASON, decode_note
from rmimom.roles import OPERATOR

MOST_IDS: Final = 10_000
"""Ids that one order names."""
MOST_CHOSEN: Final = 100_000
"""Messages that one order is carried out on; the answer says where to go on."""
MOST_LOOKED_AT: Final = 1_000_000
"""Messages that one order looks at."""
RECEIVED: Final = 1000
"""Messages that one request receives at most."""

Ids: TypeAlias = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**62)]], msgspec.Meta(max_length=MOST_IDS)]


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages are meant: those of `ids`, or those that `selector` and `text` choose, or `all`; one of the three.

    At most `limit` of them, the first in the order of delivery, are concerned.  With `dry_run` they are only counted.
    `cursor` is where to begin, as the answer to the order before says.
    """

    ids: Ids | None = None
    selector: Selector = ""
    text: Text = ""
    all: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_CHOSEN)] = MOST_CHOSEN
    cursor: Cursor = ""
    dry_run: bool = False


class SelectionTo(Selection, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages are meant (see Selection), and where they go: `queue://NAME`, or for copies `topic://NAME`."""

    to: Annotated[str, msgspec.Meta(max_length=20_000)]


class Burial(Selection, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages are meant (see Selection), and the reason that is told with them."""

    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""


class Receive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many messages to receive at most, and which."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=RECEIVED)] = 1
    selector: Selector = ""


class Done(msgspec.Struct, frozen=True):
    """How an order was carried out.

    `matched` messages were chosen, and `done` of them went; the others were consumed meanwhile, or are held.  `next` is
    where to go on if there is more to look at than one order does, else null.
    """

    matched: int
    done: int
    dry_run: bool
    next: str | None = None


class Received(msgspec.Struct, frozen=True):
    """Messages that were received: they are not in the queue any more."""

    items: list[MessageDetail]


async def remove_messages(call: Call[Nothing, Selection]) -> Done:
    """Remove messages from a queue for good."""
    queue = _queue(call)
    return await _carry_out(call, lambda ids: Remove(SERVER, queue, ids))


async def move_messages(call: Call[Nothing, SelectionTo]) -> Done:
    """Move messages to another queue, in order; each keeps its headers and its id, and a dead letter stays one."""
    queue, to = _queue(call), read_destination(call.body.to)
    if not isinstance(to, Queue):
        raise bad_request(f"messages can be moved to a queue, but {to} is none; copy them there")
    if to == queue:
        raise bad_request(f"the messages are in {to} already")
    return await _carry_out(call, lambda ids: Move(SERVER, queue, ids, to))


async def bury_messages(call: Call[Nothing, Burial]) -> Done:
    """Make dead letters of messages, as if a consumer had rejected them; they can be sent back."""
    queue, reason = _queue(call), call.body.reason
    return await _carry_out(call, lambda ids: Bury(SERVER, queue, ids, reason))


async def retry_messages(call: Call[Nothing, Selection]) -> Done:
    """Send dead letters back to where they came from.

    What is no dead letter stays, and so does what came from a subscription that does not exist any more.
    """
    queue = _queue(call)
    return await _carry_out(call, lambda ids: Retry(SERVER, queue, ids), dead=True)


async def copy_messages(call: Call[Nothing, SelectionTo]) -> Done:
    """Send copies of messages to a queue or a topic; each copy has a message id of its own."""
    _queue(call)
    to, dry_run = read_destination(call.body.to), call.body.dry_run
    matched = 0
    after: Place | None = None
    async for chosen, place in _messages(call):
        after = place
        matched += len(chosen)
        if chosen and not dry_run:
            ids = new_message_ids(len(chosen))
            frames = [copy_of(decode_frame(message.frame), to, ids.pop(0)) for message in chosen]
            await call.engine.submit(Send(SERVER, "", 0, to, frames))
    return Done(matched, 0 if dry_run else matched, dry_run, str(after) if after else None)


async def receive_messages(call: Call[Nothing, Receive]) -> Received:
    """Receive messages: they are removed from the queue, and answered with.

    What a consumer holds is its own and is not received.  A request whose answer is lost has received all the same, so
    this is for people and scripts; programs that must not lose a message are clients.
    """
    queue, engine = _queue(call), call.engine
    find_place(call, queue)
    wanted: list[Delivered] = []
    async for piece in search(engine, queue, call.body.selector, "", None):
        wanted += piece.found[: call.body.limit - len(wanted)]
        if len(wanted) == call.body.limit:
            break
    gone = set(await engine.submit(Remove(SERVER, queue, [message.tag for message in wanted])))  # type: ignore[call-overload]
    return Received(
        [
            MessageDetail(
                summary_of_delivered(message), "ready", body_of(decode_frame(message.frame), "auto", MOST_BODY)
            )
            for message in wanted
            if message.tag in gone
        ]
    )


def _queue(call: Call[Any, Any]) -> Queue:
    changeable(call.queue)
    return call.queue


Chosen: TypeAlias = AsyncIterator[tuple[list[Delivered], Place | None]]


async def _carry_out(call: Call[Nothing, Any], command: Callable[[list[int]], Command], *, dead: bool = False) -> Done:
    """Give the command for what is meant, piece by piece."""
    asked: Selection = call.body
    engine = call.engine
    if _by_ids(asked):
        assert asked.ids is not None
        ids = list(dict.fromkeys(asked.ids))[: asked.limit]
        place = find_place(call, call.queue)
        assert isinstance(place, QueuePlace)
        if asked.dry_run:
            return Done(len(place.mailbox.select(ids)), 0, dry_run=True)
        done = 0
        for start in range(0, len(ids), PIECE):
            done += _number(await engine.submit(command(ids[start : start + PIECE])))
        return Done(len(ids), done, dry_run=False)
    matched = done = 0
    after: Place | None = None
    async for chosen, place_after in _choose(call, dead=dead):
        after = place_after
        matched += len(chosen)
        if not asked.dry_run:
            for together in _by_priority(chosen):
                done += _number(await engine.submit(command(together)))
    return Done(matched, done, asked.dry_run, str(after) if after else None)


def _by_ids(asked: Selection) -> bool:
    """Whether the messages are named; raises Refusal unless they are meant in one way."""
    ways = [asked.ids is not None, bool(asked.selector or asked.text), asked.all]
    if sum(ways) != 1:
        raise bad_request("say which messages are meant: by ids, by selector and text, or all; one of the three")
    return ways[0]


async def _messages(call: Call[Nothing, SelectionTo]) -> Chosen:
    """What is meant, with its frames."""
    asked, engine = call.body, call.engine
    if not _by_ids(asked):
        async for chosen in _choose(call):
            yield chosen
        return
    place = find_place(call, call.queue)
    assert isinstance(place, QueuePlace)
    assert asked.ids is not None
    ids = list(dict.fromkeys(asked.ids))[: asked.limit]
    for start in range(0, len(ids), PIECE):
        entries = place.mailbox.select(ids[start : start + PIECE])
        frames = await engine.frames([entry.id for entry in entries if entry.frame is None])
        found = [(entry.id, frames.get(entry.id) if entry.frame is None else entry.frame) for entry in entries]
        yield [Delivered(number, [], [1], msgspec.Raw(frame)) for number, frame in found if frame is not None], None


async def _choose(call: Call[Nothing, Any], *, dead: bool = False) -> Chosen:
    """What selector and text choose, up to the limit, and where to go on."""
    asked: Selection = call.body
    engine = call.engine
    find_place(call, call.queue)
    bound = engine.broker.next_id
    left, examined = asked.limit, 0
    async for piece in search(engine, call.queue, asked.selector, asked.text, read_cursor(asked.cursor)):
        found = [message for message in piece.found if message.tag < bound and not (dead and not _is_dead(message))]
        examined += piece.examined
        if len(found) >= left:
            found = found[:left]
            yield found, place_of(found[-1])
            return
        left -= len(found)
        stop = examined >= MOST_LOOKED_AT
        yield found, piece.after if stop else None
        if stop:
            return


def _is_dead(message: Delivered) -> bool:
    return decode_note(message.note).is_dead


def _by_priority(messages: Iterable[Delivered]) -> list[list[int]]:
    """The ids by priority: those of one stand close together in the queue, and are taken out at less cost."""
    together: dict[int, list[int]] = {}
    for message in messages:
        together.setdefault(place_of(message).priority, []).append(message.tag)
    return list(together.values())


def _number(answer: object) -> int:
    return len(answer) if isinstance(answer, list) else int(str(answer))


def _order(name: str, handler: Handler, body: type[msgspec.Struct], answer: type = Done) -> Operation:
    return Operation(
        method="POST",
        path=f"/queues/{{name}}/{name}",
        handler=handler,
        tag="messages",
        role=OPERATOR,
        body=body,
        answer=answer,
    )


OPERATIONS: Final = (
    _order("remove", remove_messages, Selection),
    _order("move", move_messages, SelectionTo),
    _order("copy", copy_messages, SelectionTo),
    _order("bury", bury_messages, Burial),
    _order("retry", retry_messages, Selection),
    _order("receive", receive_messages, Receive, Received),
)
