"""Browsing: looking at a queue without changing it (Jakarta Messaging §4.1.6)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from rmimom.commands import Browse
from rmimom.core.consuming import check_owner
from rmimom.core.mailbox import HIGHEST_PRIORITY
from rmimom.core.place import QueuePlace
from rmimom.core.state import State
from rmimom.core.turn import Turn
from rmimom.destination import Queue, TemporaryQueue
from rmimom.effects import NOT_LOADED, Page
from rmimom.errors import InvalidDestinationError, MessageFormatError
from rmimom.frame import Delivered
from rmimom.selector import MessageValues, parse_selector

MOST = 1000
"""Messages of one page at most: more would keep others waiting."""
MOST_BYTES = 1024 * 1024
"""Bytes of one page, but for a single message that is larger."""


def browse(state: State, command: Browse, turn: Turn) -> Page:
    """A page of what waits; a queue that could be made but was not is empty."""
    state.client(command.connection)
    if not isinstance(command.queue, Queue):
        raise InvalidDestinationError(
            f"only a queue can be browsed, but {command.queue} is a topic", destination=str(command.queue)
        )
    command.queue.checked()
    selector = parse_selector(command.selector)
    if not 0 <= command.limit <= MOST:
        raise MessageFormatError(f"a page has 0 to {MOST} messages, not {command.limit}")
    if command.after is not None and not 0 <= command.after[0] <= HIGHEST_PRIORITY:
        raise MessageFormatError(f"a place in a queue begins with a priority from 0 to 9, not {command.after[0]}")
    may_be_made = state.rules.auto_create and not isinstance(command.queue, TemporaryQueue)
    place = state.places.get(command.queue) if may_be_made else state.find(command.queue)
    if place is None:
        return Page([], None)
    assert isinstance(place, QueuePlace)
    if place.owner:
        check_owner(place, command.connection)
    messages: list[Delivered] = []
    after = command.after
    size = 0
    for looked_at, (entry, past) in enumerate(place.mailbox.browse(after, turn.now)):
        if looked_at >= command.limit or (messages and size + entry.size > MOST_BYTES):
            return Page(messages, after)
        after = entry.priority, entry.id
        if entry.frame is None:
            messages.append(Delivered(entry.id, [], [past.returns + 1], NOT_LOADED, past.note))
        elif selector is None or MessageValues(entry.frame, past.note).match(selector):
            messages.append(Delivered(entry.id, [], [past.returns + 1], Raw(entry.frame), past.note))
        else:
            continue
        size += entry.size
    return Page(messages, None)


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
