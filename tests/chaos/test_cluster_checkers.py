"""What a cluster alone can do wrong is found, and what is right is not called wrong."""

from __future__ import annotations

from typing import Any

from rmimom_chaos.cluster_checkers import check_groups, check_owner
from rmimom_chaos.history import INFO, INVOKE, OK, Event, History


def history(*events: tuple[Any, ...]) -> History:
    """Events of (process, type, op, facts), one a millisecond."""
    return [Event(time, who, outcome, op, **facts) for time, (who, outcome, op, facts) in enumerate(events, 1)]


def own(server: str, epoch: int) -> tuple[Any, ...]:
    return (server, INFO, "own", {"server": server, "epoch": epoch})


def sent(value: str, server: str, epoch: int) -> tuple[Any, ...]:
    return (value.partition("-")[0], OK, "send", {"value": value, "server": server, "epoch": epoch})


def asked(value: str, **facts: Any) -> tuple[Any, ...]:
    return (value.partition("-")[0], INVOKE, "send", {"value": value, "destination": "queue://q", **facts})


def received(value: str, consumer: str, count: int = 1) -> tuple[Any, ...]:
    return (consumer, OK, "receive", {"value": value, "place": "queue://q", "consumer": consumer, "count": count})


def acknowledged(value: str, consumer: str) -> tuple[Any, ...]:
    return (consumer, OK, "acknowledge", {"value": value, "place": "queue://q", "consumer": consumer})


def grouped(*values: str) -> list[tuple[Any, ...]]:
    return [asked(value, group="g") for value in values]


def test_owners_that_follow_each_other_are_valid() -> None:
    verdict = check_owner(
        history(own("one", 1), asked("a-1"), sent("a-1", "one", 1), own("two", 3), asked("a-2"), sent("a-2", "two", 3))
    )
    assert verdict.valid is True
    assert verdict.facts == {"confirmed": 2, "epochs": 2}


def test_two_holders_of_an_epoch_are_found() -> None:
    verdict = check_owner(history(own("one", 1), own("two", 3), own("one", 3)))
    assert verdict.valid is False
    assert verdict.findings == ["one: holds epoch 3, says one, and so does two"]


def test_a_deposed_server_that_confirms_is_found() -> None:
    verdict = check_owner(
        history(own("one", 1), asked("b-1"), sent("b-1", "two", 3), asked("a-1"), sent("a-1", "one", 1))
    )
    assert verdict.valid is False
    assert "a-1: its send was confirmed by one in epoch 1" in verdict.findings[0]


def test_a_confirmation_that_was_under_way_may_come_late() -> None:
    verdict = check_owner(history(own("one", 1), asked("a-1"), sent("b-1", "two", 3), sent("a-1", "one", 1)))
    assert verdict.valid is True


def test_nothing_is_known_without_owners() -> None:
    assert check_owner([]).valid is None


def test_a_group_in_one_hand_after_the_other_is_valid() -> None:
    verdict = check_groups(
        history(
            *grouped("p-1", "p-2", "p-3"),
            received("p-1", "x"),
            received("p-2", "x"),
            acknowledged("p-1", "x"),
            acknowledged("p-2", "x"),
            received("p-3", "y"),
        )
    )
    assert verdict.valid is True


def test_a_group_in_two_hands_is_found() -> None:
    verdict = check_groups(history(*grouped("p-1", "p-2"), received("p-1", "x"), received("p-2", "y")))
    assert verdict.findings == ["p-2: of group g came to y while x worked on p-1"]


def test_a_group_may_change_hands_when_something_happened() -> None:
    verdict = check_groups(
        history(*grouped("p-1", "p-2"), received("p-1", "x"), ("x", INFO, "lost", {}), received("p-1", "y", 2))
    )
    assert verdict.valid is True


def test_a_group_out_of_order_is_found() -> None:
    verdict = check_groups(
        history(
            *grouped("p-1", "p-2"),
            received("p-2", "x"),
            acknowledged("p-2", "x"),
            received("p-1", "y"),
            acknowledged("p-1", "y"),
        )
    )
    assert verdict.findings == ["p-1: of group g came first after p-2"]
