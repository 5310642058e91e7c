"""Names of destinations, and patterns of queues and topics."""

from __future__ import annotations

import pytest

from rmimom.destination import (
    Queue,
    TemporaryQueue,
    Topic,
    check_source,
    compile_pattern,
    is_pattern,
    parse_destination,
    parse_source,
)
from rmimom.errors import InvalidDestinationError


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("quakes.*", ["quakes.it", "quakes.é"], ["quakes", "quakes.", "quakes.it.south", "floods.it", "quakesxit"]),
        ("quakes.>", ["quakes", "quakes.it", "quakes.it.south"], ["quakes.", "quake.it"]),
        ("*.it", ["quakes.it", "a-b/c:d.it"], ["it", ".it", "quakes.us.it"]),
        ("*.it.>", ["quakes.it", "quakes.it.south"], []),
        ("*", ["quakes"], ["quakes.it"]),
        (">", ["quakes", "quakes.it", "rmimomx"], ["rmimom.advisory", "rmimom."]),
        ("*.advisory", ["my.advisory"], ["rmimom.advisory"]),
        ("rmimom.*", ["rmimom.advisory"], ["rmimom.a.b"]),
        ("a+b.*", ["a+b.c"], ["aab.c"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    for kind in (Queue, Topic):
        assert is_pattern(kind(pattern))
        assert parse_source(f"{kind.kind}://{pattern}") == kind(pattern)
    matches = compile_pattern(pattern).fullmatch
    assert [name for name in matching + others if matches(name)] == matching


def test_a_pattern_of_many_wildcards_is_matched_in_linear_time() -> None:
    """Given what would make a naive expression try for ever, when it does not match, then that is known at once."""
    assert not compile_pattern(".".join(["*"] * 127) + ".x").fullmatch("a" * 100 + ".a" * 127)


@pytest.mark.parametrize("name", ["quakes.>.it", "qu*", "quakes.**", ">.it", "a b.*", "a#.>", "*." + "x" * 260, "a.*>"])
@pytest.mark.parametrize("kind", [Queue, Topic])
def test_bad_patterns(kind: type[Queue | Topic], name: str) -> None:
    with pytest.raises(InvalidDestinationError, match=f"no pattern of {kind.kind}s"):
        check_source(kind(name))


def test_only_consumers_name_patterns() -> None:
    for text in ("topic://quakes.*", "queue://quakes.*"):
        with pytest.raises(InvalidDestinationError, match="can only be consumed from"):
            parse_destination(text)
    with pytest.raises(InvalidDestinationError, match="temp-queue name"):
        check_source(TemporaryQueue("quakes.*"))
    assert parse_source("queue://q") == Queue("q")
