"""A message as its receiver gets it, without a server."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from rmimom import frame
from rmimom.message import Message

_M = TypeVar("_M", bound=Message)


def received(message: _M) -> _M:
    """The message after a journey; of the class of its kind, which for one made of a class is the same."""
    sent = message.to_frame("queue://q", message_id="ID:1", now=1_700_000_000_000)
    found: _M = Message.from_frame(msgspec.Raw(frame.encode(sent)))  # type: ignore[assignment]  # checked by its users
    return found
