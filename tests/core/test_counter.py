"""Who gets what is ready in a mailbox (rmimom/core/counter.py)."""

from __future__ import annotations

from support.desk import Desk, consumer, told

from rmimom.effects import Deliver


def test_consumers_with_room_take_turns() -> None:
    desk = Desk()
    for name, prefetch in [("a", 1), ("b", 3), ("c", 2)]:
        desk.open(consumer(name, prefetch=prefetch))
    assert told(desk.put(1, 2, 3, 4, 5, 6, 7)) == {
        "a": [(1, 1)],
        "b": [(2, 1), (4, 1), (6, 1)],
        "c": [(3, 1), (5, 1)],
    }
    assert (desk.mailbox.pending, desk.mailbox.waiting, desk.mailbox.held) == (7, 1, 6)


def test_no_consumer_gets_what_it_has_no_room_for_after_a_claim() -> None:
    """Given a consumer that comes back with more than its window, when it acknowledges, then it waits for room."""
    desk = Desk()
    first = consumer()
    desk.open(first)
    desk.put(1, 2, 3, 4)
    desk.close(first)
    back = consumer("d", prefetch=2)
    lost, outcome = desk.open(back, held=(1, 2, 3))
    assert (lost, told(outcome)) == ([], {})
    assert told(desk.acknowledge(back, 1)) == {}
    assert told(desk.acknowledge(back, 2)) == {"d": [(4, 2)]}


def test_frame_of_a_stored_message_is_not_kept_once_its_only_reader_has_it() -> None:
    """Given a stored message with one reader, when it is delivered again, then the frame has to come from the store."""
    desk = Desk()
    first = consumer()
    desk.open(first)
    desk.put(5)
    assert desk.residence.used == 0
    desk.close(first)
    _, outcome = desk.open(consumer("d"))
    (effect,) = outcome.effects
    assert isinstance(effect, Deliver)
    assert len(effect.deliveries[0].frame) == 0
