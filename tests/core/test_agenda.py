"""Who wants to be woken when."""

from __future__ import annotations

from rmimom.core.agenda import Agenda


def test_due_gives_each_once_when_its_time_has_come() -> None:
    agenda: Agenda[str] = Agenda()
    for when, who in [(30, "c"), (10, "a"), (20, "a"), (20, "b")]:
        agenda.note(when, who)
    assert agenda.next() == 10
    assert agenda.due(9) == []
    assert sorted(agenda.due(20)) == ["a", "b"]
    assert agenda.next() == 30
    assert agenda.due(1000) == ["c"]
    assert agenda.next() is None
    assert agenda.due(1000) == []


def test_things_that_cannot_be_compared_may_wait_for_the_same_time() -> None:
    agenda: Agenda[object] = Agenda()
    first, second = object(), object()
    agenda.note(5, first)
    agenda.note(5, second)
    assert agenda.due(5) == [first, second]
