"""Several destinations of one send, as they are written."""

from __future__ import annotations

import pytest

from rmimom.composite import MAX_PARTS, CompositeDestination, parse_target
from rmimom.destination import Destination, Queue, TemporaryQueue, Topic, parse_source
from rmimom.errors import InvalidDestinationError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("queue://A,B,topic://C", [Queue("A"), Queue("B"), Topic("C")]),
        ("topic://A,queue://A", [Topic("A"), Queue("A")]),
        ("queue://A, B", [Queue("A"), Queue("B")]),
        ("queue://A,queue://B,A", [Queue("A"), Queue("B")]),
        ("topic://a.b,temp-queue://t,u", [Topic("a.b"), TemporaryQueue("t"), TemporaryQueue("u")]),
    ],
)
def test_parts(text: str, parts: list[Destination]) -> None:
    made = parse_target(text)
    assert isinstance(made, CompositeDestination)
    assert list(made.parts) == parts
    assert str(made) == text
    assert made == parse_target(text)


def test_one_is_itself() -> None:
    assert parse_target("queue://A") == Queue("A")


@pytest.mark.parametrize(
    "text", ["A,queue://B", "queue://A,", "queue://A,,B", "queue://A,topic://b.*", "queue://A,x://B"]
)
def test_bad_parts(text: str) -> None:
    with pytest.raises(InvalidDestinationError):
        parse_target(text)


def test_their_number_is_limited() -> None:
    names = ",".join(f"q{number}" for number in range(MAX_PARTS))
    assert isinstance(parse_target(f"queue://{names}"), CompositeDestination)
    with pytest.raises(InvalidDestinationError, match=f"at most {MAX_PARTS}"):
        parse_target(f"queue://{names},one-more")


def test_nothing_comes_from_several() -> None:
    with pytest.raises(InvalidDestinationError, match="can only be sent to"):
        parse_source("queue://A,B")
