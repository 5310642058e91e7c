"""Browsing: looking at a queue without changing it (Jakarta Messaging §4.1.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Raw

from rmimom.commands import Browse
from rmimom.core.consuming import check_owner
from rmimom.core.mailbox import Mailbox
from rmimom.core.patterns import matching
from rmimom.core.place import QueuePlace
from rmimom.core.queue_pattern import QueuePattern
from rmimom.core.shelf import HIGHEST_PRIORITY
from rmimom.core.state import State
from rmimom.core.turn import Turn
from rmimom.destination import Queue, TemporaryQueue, check_source, is_pattern
from rmimom.effects import NOT_LOADED, Page
from rmimom.errors import InvalidDestinationError, MessageFormatError
from rmimom.frame import Delivered
from rmimom.note import mark_taken_from
from rmimom.selector import MessageValues, Selector, parse_selector

MOST = 1000
"""Messages of one page at most: more would keep others waiting."""
BEGINNING: Final = (HIGHEST_PRIORITY, 0)
"""The place before all messages of a queue."""
MOST_BYTES = 1024 * 1024
"""Bytes of one page, but for a single message that is larger."""


def browse(state: State, command: Browse, turn: Turn) -> Page:
    """A page of what waits; a queue that could be made but was not is empty."""
    state.client(command.connection)
    if not isinstance(command.queue, Queue):
        raise InvalidDestinationError(
            f"only a queue can be browsed, but {command.queue} is a topic", destination=str(command.queue)
        )
    check_source(command.queue)
    selector = parse_selector(command.selector)
    if not 0 <= command.limit <= MOST:
        raise MessageFormatError(f"a page has 0 to {MOST} messages, not {command.limit}")
    if command.after is not None and not 0 <= command.after[0] <= HIGHEST_PRIORITY:
        raise MessageFormatError(f"a place in a queue begins with a priority from 0 to 9, not {command.after[0]}")
    draft = _Draft(command, selector, turn.now)
    if is_pattern(command.queue):
        return _browse_all(matching(state, QueuePattern(command.queue)), command, draft)
    may_be_made = state.rules.auto_create and not isinstance(command.queue, TemporaryQueue)
    place = state.places.get(command.queue) if may_be_made else state.find(command.queue)
    if place is None:
        return Page([], None)
    assert isinstance(place, QueuePlace)
    if place.owner:
        check_owner(place, command.connection)
    return Page(draft.messages, draft.look(place.mailbox, command.after))


def _browse_all(places: Iterable[QueuePlace], command: Browse, draft: _Draft) -> Page:
    within = command.within
    for place in sorted(places, key=lambda place: place.destination.name):
        name = place.destination.name
        # The queue in which the last page ended may be gone; then one goes on with the next.
        if name >= within:
            draft.source = str(place.destination)
            stopped = draft.look(place.mailbox, command.after if name == within else None)
            if stopped is not None:
                return Page(draft.messages, stopped, name)
    return Page(draft.messages, None)


class _Draft:
    """A page that is being filled; `source` is the queue that notes are to name, if any."""

    __slots__ = ("_left", "_now", "_selector", "_size", "messages", "source")

    def __init__(self, command: Browse, selector: Selector | None, now: int) -> None:
        self.messages: list[Delivered] = []
        self.source = ""
        self._left = command.limit
        self._now = now
        self._selector = selector
        self._size = 0

    def look(self, mailbox: Mailbox, after: tuple[int, int] | None) -> tuple[int, int] | None:
        """Put what waits behind this place on the page; where the page ended if it is full, else None."""
        for entry, past in mailbox.browse(after, self._now):
            if not self._left or (self.messages and self._size + entry.size > MOST_BYTES):
                return after or BEGINNING
            self._left -= 1
            after = entry.priority, entry.id
            note = mark_taken_from(past.note, self.source) if self.source else past.note
            frame = NOT_LOADED if entry.frame is None else Raw(entry.frame)
            selector = self._selector
            if selector is None or entry.frame is None or MessageValues(entry.frame, note).match(selector):
                self.messages.append(Delivered(entry.id, [], [past.returns + 1], frame, note))
                self._size += entry.size
        return None


def complete(page: Page, selector_text: str, frames: Mapping[int, bytes]) -> list[Delivered]:
    """The messages of a page with the frames that rested in the store, as far as the selector takes them.

    Those that are gone meanwhile are left out.
    """
    selector = parse_selector(selector_text)
    found: list[Delivered] = []
    for message in page.messages:
        if len(message.frame):
            found.append(message)
        elif message.tag in frames:
            frame = frames[message.tag]
            if selector is None or MessageValues(frame, message.note).match(selector):
                found.append(Delivered(message.tag, [], message.counts, Raw(frame), message.note))
    return found
