"""Following: somebody watches what comes to a destination, and takes nothing of it.

Who follows hears of new messages, and of those that are moved to a queue or come there as dead letters, when all of it
is safe.  While nobody follows anything, that costs a look at an empty set for each batch that is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmimom.core.entry import Entry
from rmimom.core.mailbox import Mailbox
from rmimom.core.past import Past
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.state import State
from rmimom.core.turn import Turn
from rmimom.destination import Queue
from rmimom.effects import Arrival, Arrived


def note_sent(state: State, place: Place, frames: Sequence[bytes], turn: Turn) -> None:
    """These frames are about to be put into a place, which gives them the next ids."""
    if place.destination in state.followed:
        # In a queue each has an id of its own; of a topic only some may get one.
        first = state.next_id if isinstance(place, QueuePlace) else 0
        arrivals = [Arrival(first and first + index, frame) for index, frame in enumerate(frames)]
        turn.effects.append(Arrived(place.destination, arrivals))
    if isinstance(place, TopicPlace):
        for queue in place.queues.values():
            if queue.destination in state.followed:
                turn.effects.append(Arrived(queue.destination, [Arrival(0, frame) for frame in frames]))


def note_arrived(state: State, target: Mailbox, entries: Sequence[Entry], turn: Turn) -> None:
    """These entries came to a mailbox from another."""
    if target.origin in state.followed and entries and isinstance(target.origin, Queue):
        arrivals: list[Arrival] = []
        for entry in entries:
            past = target.find_past(entry) or Past()
            arrivals.append(Arrival(entry.id, entry.frame or b"", past.returns, past.note))
        turn.effects.append(Arrived(target.origin, arrivals))
