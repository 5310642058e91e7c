"""Looking for messages in a queue, however deep it is.

A search goes through the queue in pieces, in the order of delivery, as the broker's own browsers do.  Frames that rest
on disk are read between the commits.  Between two pieces everybody else has a turn, so delivery never waits for a
search; and one request looks at so much and no more, and answers where to go on.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec

from rmimom.commands import Browse
from rmimom.core.browsing import complete
from rmimom.core.state import SERVER
from rmimom.destination import Queue
from rmimom.effects import Page as BrokerPage
from rmimom.engine import Engine
from rmimom.frame import BYTES, Delivered, decode_frame, decode_head
from rmimom.listeners.http.message import text_of
from rmimom.listeners.http.problems import bad_request

PIECE: Final = 100
"""Messages that are looked at before others have their turn."""
MOST_EXAMINED: Final = 20_000
"""Messages that one request for a page looks at."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of messages that one request for a page looks at."""

Selector: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=100_000, description="only messages that this message selector takes")
]
Text: TypeAlias = Annotated[
    str,
    msgspec.Meta(max_length=10_000, description="only messages whose body holds this text, in either case of letters"),
]
Cursor: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]-[0-9]{1,18})?$", description="where to go on, as the page before says")
]


class Place(NamedTuple):
    """A place in a queue: that of the message of this priority and id."""

    priority: int
    id: int

    def __str__(self) -> str:
        return f"{self.priority}-{self.id}"


def read_cursor(text: str) -> Place | None:
    """The place that a cursor names, None for the beginning; raises Refusal."""
    if not text:
        return None
    match = re.fullmatch(r"([0-9])-([0-9]{1,18})", text)
    if match is None:
        raise bad_request(f"{text!r} is no cursor; take it from the page before", cursor=text[:100])
    return Place(int(match[1]), int(match[2]))


class Piece(NamedTuple):
    """What a piece of a search found: messages with their frames, how many were looked at, and where to go on."""

    found: list[Delivered]
    examined: int
    bytes: int
    after: Place | None


async def search(engine: Engine, queue: Queue, selector: str, text: str, after: Place | None) -> AsyncIterator[Piece]:
    """Go through what waits in a queue, behind the place `after`, until its end.

    Raises InvalidSelectorError, or InvalidDestinationError if the queue is not there (any more).
    """
    needle = text.casefold()
    place: tuple[int, int] | None = after
    while True:
        page = await engine.submit(Browse(SERVER, queue, selector, place, PIECE))
        assert isinstance(page, BrokerPage)
        resting = [message.tag for message in page.messages if not len(message.frame)]
        frames = await engine.frames(resting) if resting else {}
        found = complete(page, selector, frames)
        size = sum(len(message.frame) for message in found)
        if needle:
            found = [message for message in found if _holds(message, text, needle)]
        place = page.after
        yield Piece(found, PIECE if place else len(page.messages), size, Place(*place) if place else None)
        if place is None:
            return


def _holds(message: Delivered, text: str, needle: str) -> bool:
    frame = decode_frame(message.frame)
    if frame.kind == BYTES:
        return text.encode("utf-8", "replace") in frame.body
    return needle in text_of(frame).casefold()


def place_of(message: Delivered) -> Place:
    """Where a message that was found stands."""
    return Place(decode_head(message.frame).priority, message.tag)
