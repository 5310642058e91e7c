"""The headers of a message, and how the attributes of `Message` reach them (Jakarta Messaging 3.1 §3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, overload

import msgspec

from rmimom.destination import Destination, parse_destination
from rmimom.errors import MessageFormatError
from rmimom.frame import DEFAULT_PRIORITY, KIND_NAMES, OBJECT, PERSISTENT, Frame

if TYPE_CHECKING:
    from rmimom.message import Message

_T = TypeVar("_T")


class Headers(msgspec.Struct):
    """The headers of one message; what they mean stands in `Message`.  `kind` is None until a body gives it one."""

    kind: str | None = None
    destination: Destination | None = None
    delivery_mode: int = PERSISTENT
    message_id: str | None = None
    timestamp: int = 0
    correlation_id: str | None = None
    reply_to: Destination | None = None
    type: str | None = None
    expiration: int = 0
    delivery_time: int = 0
    priority: int = DEFAULT_PRIORITY
    time_to_live: float = 0.0


def headers_of(frame: Frame) -> Headers:
    """Read the headers of a frame; raises MessageFormatError or InvalidDestinationError if they are malformed."""
    if not 0 <= frame.kind <= OBJECT:
        raise MessageFormatError(f"the frame has the kind {frame.kind}; allowed are 0 to {OBJECT}")
    return Headers(
        KIND_NAMES[frame.kind],
        parse_destination(frame.destination),
        frame.mode,
        frame.message_id or None,
        frame.timestamp,
        frame.correlation_id,
        parse_destination(frame.reply_to) if frame.reply_to else None,
        frame.type,
        frame.expiration,
        frame.delivery_time,
        frame.priority,
    )


class Header(Generic[_T]):
    """An attribute of messages that stands in their headers, which are read when the first one is asked for or set."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, message: None, owner: type) -> Header[_T]: ...

    @overload
    def __get__(self, message: Message, owner: type) -> _T: ...

    def __get__(self, message: Message | None, owner: type) -> Header[_T] | _T:
        if message is None:
            return self
        found: _T = getattr(message._headers or message._read_headers(), self._name)
        return found

    def __set__(self, message: Message, value: _T) -> None:
        setattr(message._headers or message._read_headers(), self._name, value)
