"""Browsing: pages of a queue; see also conversations/browsing.txt."""

from __future__ import annotations

from support.brokers import BrokerOnStore
from support.messages import body_of, frame_for

from rmimom.commands import Browse, Connect, Release, Send, Subscribe
from rmimom.core.browsing import MOST_BYTES, complete
from rmimom.core.state import Rules
from rmimom.destination import Queue
from rmimom.effects import Accepted, Page

Q = Queue("q")


def page(made: BrokerOnStore, after: tuple[int, int] | None = None, limit: int = 100, selector: str = "") -> Page:
    reply = made.handle(Browse("c", Q, selector, after, limit)).reply
    assert isinstance(reply, Accepted)
    assert isinstance(reply.value, Page)
    return reply.value


def test_pages_together_show_everything_once_in_the_order_of_delivery() -> None:
    """Given old messages that came back among new ones, when paged, then as they would be delivered."""
    made = BrokerOnStore()
    made.handle(Connect("c", "ann"))
    for number in range(40):
        made.handle(Send("c", "", 0, Q, [frame_for(Q, str(number), priority=number * 7 % 10)]))
    made.handle(Subscribe("c", 1, Q, prefetch=15))
    held = list(made.broker.state.clients["c"].consumers[1].consumer.held)
    made.handle(Subscribe("c", 2, Q, prefetch=1))
    made.handle(Release("c", 1, held[::2]))
    whole = [found.tag for found in page(made).messages]
    assert whole == [entry.id for entry in made.broker.state.places[Q].mailboxes()[0]._ready]
    for limit in (1, 2, 3, 7):
        shown: list[int] = []
        after: tuple[int, int] | None = None
        while True:
            found = page(made, after, limit)
            shown += [one.tag for one in found.messages]
            after = found.after
            if after is None:
                break
        assert shown == whole


def test_a_page_is_not_too_large() -> None:
    made = BrokerOnStore()
    made.handle(Connect("c", "ann"))
    made.handle(Send("c", "", 0, Q, [frame_for(Q, "x" * (MOST_BYTES // 2))] * 3))
    assert [len(page(made, after).messages) for after in (None, (4, 2), (4, 3))] == [1, 1, 1]


def test_what_rests_in_the_store_is_chosen_by_who_reads_it() -> None:
    made = BrokerOnStore(Rules(resident_bytes=0))
    made.handle(Connect("c", "ann"))
    made.handle(Send("c", "", 0, Q, [frame_for(Q, body, priority=number) for number, body in enumerate("abc")]))
    found = page(made, selector="JMSPriority >= 1")
    assert [len(one.frame) for one in found.messages] == [0, 0, 0]
    frames = made.store.frames([one.tag for one in found.messages[:2]])
    assert [body_of(one.frame) for one in complete(found, "JMSPriority >= 1", frames)] == ["c", "b"]
    assert complete(found, "JMSPriority > 1", {}) == []
