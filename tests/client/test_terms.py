"""What producers and consumers are asked for is judged before the server is (Jakarta Messaging 3.1 §8.3)."""

from __future__ import annotations

import pytest

from rmimom.client.terms import checked_source, checked_target, receiver_options, subscriber_options
from rmimom.composite import parse_target
from rmimom.destination import Destination, Queue, Topic
from rmimom.errors import InvalidDestinationError

SUBSCRIBER = {
    "durable": None,
    "shared": False,
    "selector": None,
    "no_local": False,
    "prefetch": None,
    "retroactive": False,
}


def test_messages_are_sent_to_one_destination_of_the_kind_and_received_from_patterns_too() -> None:
    assert checked_target(Queue("q"), Queue) == checked_source(Queue("q"), Queue) == Queue("q")
    assert checked_target(parse_target("queue://a,b"), Destination).name == "queue://a,b"
    assert checked_source(Topic("a.*"), Topic) == Topic("a.*")
    with pytest.raises(InvalidDestinationError, match="can only be consumed from"):
        checked_target(Topic("a.*"), Topic)
    with pytest.raises(InvalidDestinationError, match="white space"):
        checked_source(Topic("a b"), Topic)


@pytest.mark.parametrize("check", [checked_target, checked_source])
@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Queue("q"), r"is not a Topic; make one with session.topic\(name\)"),
        ("t", "is not a Topic"),
        (None, "is not a Topic"),
        (parse_target("topic://a,b"), "names several destinations"),
    ],
)
def test_another_kind_is_refused(check: object, given: object, why: str) -> None:
    with pytest.raises(InvalidDestinationError, match=why):
        check(given, Topic)  # type: ignore[operator]


def test_the_server_is_told_what_differs_from_the_default() -> None:
    assert receiver_options(selector="", prefetch=None, priority=0, exclusive=False) == {}
    assert receiver_options(selector="a = 1", prefetch=0, priority=2, exclusive=True) == {
        "selector": "a = 1",
        "prefetch": 0,
        "priority": 2,
        "exclusive": True,
    }
    assert subscriber_options(**SUBSCRIBER) == {}  # type: ignore[arg-type]
    asked = {"selector": "a = 1", "no_local": True, "prefetch": 5, "retroactive": True}
    assert subscriber_options(**{**SUBSCRIBER, **asked}) == asked  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("durable", "shared", "options"),
    [
        ("d", False, {"durable": "d"}),
        ("d", True, {"durable": "d", "shared": True}),
        ("d", "d", {"durable": "d", "shared": True}),
        (None, "s", {"shared": True, "name": "s"}),
    ],
)
def test_names_of_subscriptions(durable: str | None, shared: bool | str, options: dict[str, object]) -> None:
    """§8.3.1 to §8.3.4."""
    asked = {**SUBSCRIBER, "durable": durable, "shared": shared}
    assert subscriber_options(**asked) == options  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("durable", "shared", "why"),
    [
        ("", False, "durable subscription cannot be empty"),
        (None, True, "needs a name"),
        (None, "", "shared subscription cannot be empty"),
        ("d", "e", "two names"),
    ],
)
def test_subscriptions_without_one_name_are_refused(durable: str | None, shared: bool | str, why: str) -> None:
    with pytest.raises(InvalidDestinationError, match=why):
        subscriber_options(**{**SUBSCRIBER, "durable": durable, "shared": shared})  # type: ignore[arg-type]
