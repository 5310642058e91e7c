"""Dead letters: which queues hold them, where they came from and why."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from starlette.responses import Response

from rmimom.listeners.http.console.visit import Visit, page
from rmimom.listeners.http.dead_letters import list_dead_letter_queues
from rmimom.listeners.http.messages import list_messages

LOOKED_AT: Final = 500
"""Dead letters of one queue whose causes are told on the page."""
MOST_LOOKED_AT: Final = 5000
"""Dead letters that are looked at for one page, over all queues."""
MOST_QUEUES: Final = 200


class Cause(NamedTuple):
    """How many of those that were looked at came from a destination for a reason."""

    original: str
    reason: str
    number: int


class DeadQueue(NamedTuple):
    """A queue of dead letters; `causes` are those of the first `looked_at` messages."""

    name: str
    number: int
    looked_at: int
    causes: list[Cause]


async def show_dead_letters(visit: Visit) -> Response:
    """The queues of dead letters, each with the causes of the first of them."""
    found = [queue for queue in (await visit.ask(list_dead_letter_queues)).items if queue.pending]
    queues: list[DeadQueue] = []
    left = MOST_LOOKED_AT
    for queue in found[:MOST_QUEUES]:
        causes: Counter[tuple[str, str]] = Counter()
        wanted = min(LOOKED_AT, left)
        items = []
        if wanted:
            items = (await visit.ask(list_messages, {"limit": wanted}, path={"name": queue.name})).items
        for item in items:
            letter = item.dead_letter
            # Somebody may have sent one there, which has no cause.
            causes[(letter.original_destination, letter.reason) if letter else ("", "sent here")] += 1
        left -= len(items)
        told = [Cause(*cause, times) for cause, times in causes.most_common(20)]
        queues.append(DeadQueue(queue.name, queue.pending, len(items), told))
    return await visit.show("dead_letters.html", queues=queues, more=max(0, len(found) - MOST_QUEUES))


PAGES: Final = (page("/dead-letters", show_dead_letters),)
