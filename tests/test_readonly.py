"""Dicts and lists that cannot be changed (Jakarta Messaging 3.1 §3.11.2)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from rmimom.errors import MessageFormatError, MessageNotWriteableError
from rmimom.readonly import ReadOnlyDict, ReadOnlyList, copied, frozen

DATA = {"a": [1, {"b": (2, [3])}], "c": b"x"}

CHANGES: list[Callable[[Any], object]] = [
    lambda data: data.__setitem__("c", 1),
    lambda data: data.__delitem__("c"),
    lambda data: data.__ior__({"c": 1}),
    lambda data: data.clear(),
    lambda data: data.pop("c"),
    lambda data: data.popitem(),
    lambda data: data.setdefault("d", 1),
    lambda data: data.update(c=1),
    lambda data: data["a"].__setitem__(0, 2),
    lambda data: data["a"].__delitem__(0),
    lambda data: data["a"].__iadd__([1]),
    lambda data: data["a"].__imul__(2),
    lambda data: data["a"].append(1),
    lambda data: data["a"].clear(),
    lambda data: data["a"].extend([1]),
    lambda data: data["a"].insert(0, 1),
    lambda data: data["a"].pop(),
    lambda data: data["a"].remove(1),
    lambda data: data["a"].reverse(),
    lambda data: data["a"].sort(),
    lambda data: data["a"][1].clear(),
    lambda data: data["a"][1]["b"][1].append(1),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_every_change_is_refused(number: int) -> None:
    data = frozen(DATA)
    with pytest.raises(MessageNotWriteableError, match="read-only"):
        CHANGES[number](data)
    assert data == DATA


def test_no_way_to_change_was_forgotten() -> None:
    """Every method of dict and list that their frozen forms do not refuse reads only."""
    reading = {"copy", "count", "fromkeys", "get", "index", "items", "keys", "values"}
    for kind, plain in ((ReadOnlyDict, dict), (ReadOnlyList, list)):
        own = {name for name in dir(plain) if not name.startswith("__")}
        assert own - reading == {name for name in vars(kind) if not name.startswith("__")}


@pytest.mark.parametrize("copying", [copy.copy, lambda data: data.copy()])
def test_copies_are_plain(copying: Callable[[Any], Any]) -> None:
    found = copying(frozen(DATA))
    found["d"] = 1
    assert type(found) is dict


@pytest.mark.parametrize("copying", [copy.deepcopy, copied])
def test_deep_copies_are_plain_within(copying: Callable[[Any], Any]) -> None:
    found = copying(frozen(DATA))
    found["a"][1]["b"][1].append(4)
    assert found["a"][1]["b"] == (2, [3, 4])


def test_they_travel_as_plain_ones() -> None:
    assert json.loads(json.dumps(frozen({"a": [1]}))) == {"a": [1]}
    assert msgspec.json.encode(frozen({"a": [1]})) == b'{"a":[1]}'


def test_a_copy_is_one() -> None:
    inner = [1]
    for made in (frozen({"a": inner}), copied({"a": inner})):
        inner.append(2)
        assert made["a"] == [1]
        inner.pop()
    assert frozen(bytearray(b"x")) == b"x"
    assert frozen(5) == 5


def test_what_holds_itself() -> None:
    data: list[object] = []
    data.append(data)
    with pytest.raises(MessageFormatError, match="holds itself"):
        frozen(data)
