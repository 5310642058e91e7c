"""What selectors see of one message: its properties and six of its headers, decoded once for all of them."""

from __future__ import annotations

from typing import Final

import msgspec

from rmimom import frame as wire
from rmimom.errors import MessageFormatError
from rmimom.note import note_properties
from rmimom.selector.arithmetic import NUMBERS
from rmimom.selector.selector import Selector
from rmimom.values import MAX_LONG, MIN_LONG, PropertyValue, decode_properties


class _Selected(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A frame without its body: msgspec passes over what follows and copies nothing of it."""

    kind: int
    mode: int
    priority: int
    timestamp: int
    expiration: int
    delivery_time: int
    destination: str
    message_id: str
    properties_length: int
    body_length: int
    correlation_id: str | None
    reply_to: str | None
    type: str | None
    properties: bytes


_MODES: Final = {wire.PERSISTENT: "PERSISTENT", wire.NON_PERSISTENT: "NON_PERSISTENT"}
# Types of properties whose every value is one; JSON text may also hold an int that is no long, a list and more.
_UNLIMITED: Final = frozenset({str, bool, type(None)}) | NUMBERS - {int}

_decoder: Final = msgspec.msgpack.Decoder(_Selected)


class MessageValues:
    """One message as selectors see it.

    Nothing is decoded before the first selector asks, and each thing at most once; the answer to each selector is
    remembered, so that the subscribers who share one cost one evaluation.

    The sender's library checked the properties.  Should they be unreadable all the same, or a property hold what no
    message can carry, it counts as missing: one bad message must not stop a queue.
    """

    __slots__ = ("_answers", "_frame", "_headers", "_note", "_values")

    def __init__(self, frame: wire.Frame | bytes | msgspec.Raw, note: str = "") -> None:
        """A message in its frame, with the note beside it (`rmimom.note`); nothing is read yet."""
        self._note = note
        self._frame: wire.Frame | _Selected | bytes | msgspec.Raw = frame
        self._headers: dict[str, PropertyValue] | None = None
        self._values: dict[str, PropertyValue] | None = None
        self._answers: dict[Selector, bool] = {}

    def match(self, selector: Selector | None) -> bool:
        """Whether the selector takes the message; None takes every one.

        Raises MessageFormatError if the bytes given are no frame.
        """
        if selector is None:
            return True
        answer = self._answers.get(selector)
        if answer is None:
            values = self.headers if selector.headers_only else self.values
            answer = self._answers[selector] = selector.matches(values)
        return answer

    @property
    def headers(self) -> dict[str, PropertyValue]:
        """The six headers by their names in selectors; raises MessageFormatError if the bytes given are no frame."""
        found = self._headers
        if found is None:
            frame = self._decoded()
            found = self._headers = {
                "JMSDeliveryMode": _MODES.get(frame.mode),
                "JMSPriority": frame.priority,
                "JMSMessageID": frame.message_id or None,
                "JMSTimestamp": frame.timestamp,
                "JMSCorrelationID": frame.correlation_id,
                "JMSType": frame.type,
            }
        return found

    @property
    def values(self) -> dict[str, PropertyValue]:
        """The properties and the headers; raises MessageFormatError if the bytes given are no frame."""
        found = self._values
        if found is None:
            found = self._values = _properties(self._decoded().properties)
            if self._note:
                found.update(note_properties(self._note))
            found.update(self.headers)
        return found

    def _decoded(self) -> wire.Frame | _Selected:
        frame = self._frame
        if isinstance(frame, (bytes, msgspec.Raw)):
            try:
                frame = self._frame = _decoder.decode(frame)
            except msgspec.MsgspecError as error:
                raise MessageFormatError(f"the bytes are not a message frame: {error}") from None
        return frame


def read_property(frame: bytes, name: str) -> PropertyValue:
    """A property of a message, None if it has none of this name; raises MessageFormatError if it is unreadable.

    Costs little if the message has not got it.
    """
    try:
        data = _decoder.decode(frame).properties
    except msgspec.MsgspecError as error:
        raise MessageFormatError(f"the bytes are not a message frame: {error}") from None
    # A JSON text may hide a name behind escapes.
    if name.encode() not in data and b"\\u" not in data:
        return None
    return decode_properties(data).get(name)


def _properties(data: bytes) -> dict[str, PropertyValue]:
    try:
        found = decode_properties(data)
    except MessageFormatError:
        return {}
    for value in found.values():
        if type(value) not in _UNLIMITED and not _is_property(value):
            return {name: value for name, value in found.items() if _is_property(value)}
    return found


def _is_property(value: object) -> bool:
    if type(value) is int:
        return MIN_LONG <= value <= MAX_LONG
    return type(value) in _UNLIMITED
