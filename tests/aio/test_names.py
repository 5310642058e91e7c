"""The two faces of the client have the same names, with the same arguments."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import rmimom
from rmimom import aio
from rmimom.client.options import BatchOptions, ConnectionOptions, RequestOptions, SendOptions
from rmimom.client.outbox import Ticket

OPTIONS = {f"Unpack[{kind.__name__}]": kind for kind in (BatchOptions, RequestOptions, SendOptions, ConnectionOptions)}
COMMON = [name for name in aio.__all__ if inspect.isclass(getattr(aio, name))]


def members(kind: type) -> set[str]:
    """The public names of a class and its objects, and how they can be used in `with` and `for`."""
    ways = {"__aenter__": "with", "__enter__": "with", "__aiter__": "for", "__iter__": "for"}
    found = {name for name in dir(kind) if not name.startswith("_")}
    for base in kind.__mro__:
        if base.__module__.startswith("rmimom.") and "__init__" in vars(base):
            source = inspect.getsource(vars(base)["__init__"])
            found.update(re.findall(r"^        self\.([a-z]\w*)(?::.*)? = ", source, re.MULTILINE))
    return (found - set(Ticket.__slots__) - vars(Ticket).keys()) | {
        way for name, way in ways.items() if hasattr(kind, name)
    }


def parameters(call: Any) -> list[tuple[str, str, Any]]:
    """Names, kinds and defaults of arguments; options handed on as a whole count one by one, whatever their order."""
    found = []
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD and str(parameter.annotation) in OPTIONS:
            found += [(name, "KEYWORD_ONLY") for name in OPTIONS[str(parameter.annotation)].__annotations__]
        else:
            found.append((parameter.name, parameter.kind.name))
    return sorted(found, key=lambda entry: (entry[1] == "KEYWORD_ONLY" and entry[0]) or "")


def test_every_class_that_waits_has_its_twin() -> None:
    """What is public in `rmimom` and not in `rmimom.aio` has no method that waits for the server."""
    without = {name for name in rmimom.__all__ if name not in aio.__all__ and not name.endswith("Error")}
    assert without == {
        "AcknowledgeMode",
        "Byte",
        "BytesMessage",
        "Char",
        "ClientConnectionManager",  # for tools
        "CompletionListener",  # one awaits the receipt instead
        "CompositeDestination",
        "ConnectionEvent",
        "ConnectionMetadata",
        "Destination",
        "ExceptionListener",
        "Float",
        "HeartbeatPublisher",  # these two have threads of their own, which do not wait for a busy loop
        "HeartbeatSubscriber",
        "Int",
        "MapMessage",
        "ObjectMessage",
        "Queue",
        "Short",
        "StreamMessage",
        "SuspicionLevel",
        "TextMessage",
        "Topic",
    }


@pytest.mark.parametrize("name", COMMON)
def test_both_faces_have_the_same_names(name: str) -> None:
    assert members(getattr(aio, name)) == members(getattr(rmimom, name))


@pytest.mark.parametrize(
    ("name", "method"),
    [
        (name, method)
        for name in COMMON
        for method in sorted(members(getattr(aio, name)))
        if inspect.isfunction(getattr(getattr(aio, name), method, None))
    ],
)
def test_both_faces_take_the_same_arguments(name: str, method: str) -> None:
    ours, theirs = (parameters(getattr(getattr(face, name), method)) for face in (aio, rmimom))
    # On a loop one awaits the receipt instead.
    assert ours == [parameter for parameter in theirs if parameter[0] != "completion_listener"]


def test_the_functions_take_the_same_arguments() -> None:
    assert parameters(aio.connect) == parameters(rmimom.connect)


def test_each_name_says_what_it_is() -> None:
    for name in aio.__all__:
        assert getattr(aio, name).__doc__, name
