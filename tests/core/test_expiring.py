"""What may expire in one mailbox (rmimom/core/expiring.py)."""

from __future__ import annotations

from rmimom.core.entry import Entry
from rmimom.core.expiring import Expirations


def entry(number: int, expiration: int) -> Entry:
    """A message that expires then."""
    return Entry(number, 4, expiration, 1, 1, False, b"")


def test_entries_expire_in_their_order() -> None:
    """Given watched entries, when time passes, then each is told once, and is a ghost from then on."""
    expirations = Expirations()
    waiting = [entry(1, 30), entry(2, 10), entry(3, 20)]
    for one in waiting:
        expirations.watch(one)
    assert expirations.next() == 10
    assert expirations.pop(9) is None
    assert expirations.pop(20) is waiting[1]
    assert expirations.pop(20) is waiting[2]
    assert expirations.pop(20) is None
    assert (expirations.next(), expirations.ghosts) == (30, 2)
    assert not expirations.take(waiting[1])
    assert expirations.take(waiting[0])
    assert (expirations.next(), expirations.ghosts) == (0, 1)
    expirations.clear()
    assert expirations.ghosts == 0


def test_memory_is_bounded() -> None:
    """Given a flow of messages that are consumed in time, when it goes on, then little is remembered of them."""
    expirations = Expirations()
    for number in range(10_000):
        one = entry(number, 10**9 + number)
        expirations.watch(one)
        assert expirations.take(one)
    assert len(expirations._heap) <= 1001
    assert not expirations.too_many_ghosts(0)
