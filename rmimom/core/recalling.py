"""Recalling: a new subscription gets what is kept of its topics (`history.py`)."""

from __future__ import annotations

from rmimom.core.entry import Entry
from rmimom.core.place import TopicPlace
from rmimom.core.state import State
from rmimom.core.subscription import Subscription
from rmimom.core.turn import Turn
from rmimom.selector import MessageValues


def recall(state: State, subscription: Subscription, connection: str, turn: Turn) -> None:
    """Put copies of what is kept into the mailbox of a new subscription of this connection, in the order of sending."""
    now = turn.now
    kept = [
        one
        for place in state.places.values()
        if isinstance(place, TopicPlace) and place.history is not None
        if subscription.id in place.patterns or subscription.id in place.subscriptions
        for one in place.history.recall(now)
    ]
    for one in sorted(kept):
        head = one.head
        if 0 < head.expiration <= now or (subscription.no_local and one.connection == connection):
            continue
        if MessageValues(one.frame).match(subscription.selector):
            size = len(one.frame)
            state.residence.used += size
            entry = Entry(state.take_id(), head.priority, head.expiration, size, 1, False, one.frame, one.wishes)
            if head.delivery_time > now:
                subscription.mailbox.put_delayed(entry, head.delivery_time)
            else:
                subscription.mailbox.put([entry], turn)
