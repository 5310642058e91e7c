"""Patterns of queues: a consumer that takes from all queues whose names match, now and later.

What there is of it afterwards is in `pattern_consumer.py`: a whole, and a member in each queue.  Queues are looked at
when the consumer comes, and consumers when a queue comes (`State.add_place`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rmimom.commands import Subscribe
from rmimom.core.mailbox import Mailbox
from rmimom.core.pattern_consumer import Member, PatternConsumer
from rmimom.core.place import QueuePlace
from rmimom.core.queue_pattern import QueuePattern
from rmimom.core.state import Client, OpenPattern, State
from rmimom.core.turn import Turn
from rmimom.destination import Queue, check_source
from rmimom.errors import InvalidDestinationError
from rmimom.selector import Selector


def open_pattern(
    state: State, client: Client, command: Subscribe, selector: Selector | None, turn: Turn
) -> tuple[PatternConsumer, tuple[int, ...]]:
    """Open the consumer; returns it, and those tags it settled that none of its queues knows.

    A tag that several queues know, because each has a copy of the message, claims or settles one copy: the client had
    one at a time.  A tag that is both settled and held is held: it can only have been delivered again from another
    queue, after the server had heard that the first copy was settled.
    """
    pattern = command.destination
    check_source(pattern)
    assert isinstance(pattern, Queue)
    if command.durable or command.shared:
        raise InvalidDestinationError(
            f"a subscription needs topics, but {pattern} means queues; messages in queues wait for their consumers "
            "anyway",
            destination=str(pattern),
        )
    whole = PatternConsumer(
        command.connection,
        command.consumer,
        command.prefetch,
        command.prefetch_bytes,
        selector,
        QueuePattern(pattern),
        state.freed,
        priority=command.priority,
        exclusive=command.exclusive,
    )
    held = command.held
    settled = tuple(tag for tag in command.settled if tag not in set(held))
    mailboxes = [place.mailbox for place in matching(state, whole.pattern)]
    for mailbox in mailboxes:
        member = whole.join(mailbox)
        gone = mailbox.delivered_among(settled)
        mailbox.claim(member, tuple(gone), tuple(mailbox.delivered_among(held)), turn)
        settled = tuple(tag for tag in settled if tag not in gone)
        held = tuple(tag for tag in held if tag not in whole.held)
    whole.arrange(command.held)
    state.pattern_consumers[whole] = None
    client.consumers[command.consumer] = OpenPattern(whole)
    for mailbox in mailboxes:
        mailbox.admit(whole.members[mailbox.id])
        mailbox.dispatch(turn)
    return whole, settled


def matching(state: State, pattern: QueuePattern) -> Iterator[QueuePlace]:
    """The queues that match, in the order of their making."""
    for place in state.places.values():
        if isinstance(place, QueuePlace) and pattern.matches(place.destination):
            yield place


def part_with(mailbox: Mailbox, turn: Turn) -> None:
    """The queue is about to be deleted: consumers with a pattern, who hold nothing of it, leave."""
    members = [consumer for consumer in mailbox.consumers if isinstance(consumer, Member)]
    mailbox.close(members, turn)
    for member in members:
        member.whole.leave(mailbox)


def serve(state: State, turn: Turn) -> None:
    """Consumers with a pattern may have room again: the queues that had to wait have their turn."""
    freed = list(state.freed)
    state.freed.clear()
    for whole in freed:
        whole.serve(turn)
