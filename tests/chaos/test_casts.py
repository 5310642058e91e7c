"""Who speaks which protocol."""

from __future__ import annotations

from rmimom_chaos.casts import CASTS, speaks_stomp


def test_mixed_is_some_of_each_at_every_work() -> None:
    for one, other in (("senders-1", "senders-2"), ("takers-1", "takers-2")):
        for part in range(len(CASTS[one])):
            assert speaks_stomp("mixed", one, part, 1) != speaks_stomp("mixed", other, part, 1)
    assert speaks_stomp("mixed", "forwarders", 0, 1) != speaks_stomp("mixed", "forwarders", 1, 1)


def test_who_takes_over_speaks_the_other_protocol() -> None:
    assert speaks_stomp("mixed", "takers-1", 3, 1) != speaks_stomp("mixed", "takers-1", 3, 2)


def test_or_all_speak_one() -> None:
    assert all(speaks_stomp("stomp", cast, part, 1) for cast in CASTS for part in range(4))
    assert not any(speaks_stomp("rmi", cast, part, 1) for cast in CASTS for part in range(4))
