"""The part of a session that makes messages of each kind (Jakarta Messaging 3.1 §3.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rmimom.kinds import BytesMessage, MapMessage, ObjectMessage, StreamMessage, TextMessage
from rmimom.message import Message
from rmimom.values import MapValue


class MessageMaker:
    """Makes messages; each method raises IllegalStateError when the session is closed.

    They are the same as those that the classes make, so a program may as well write `TextMessage("text")`.
    """

    if TYPE_CHECKING:

        def _check_open(self) -> None: ...

    def create_message(self) -> Message:
        """A message without body."""
        self._check_open()
        return Message(kind="none")

    def create_text_message(self, text: str | None = None) -> TextMessage:
        """A message with text, or without; raises MessageFormatError for text that is not Unicode."""
        self._check_open()
        return TextMessage(text)

    def create_bytes_message(self, data: bytes = b"") -> BytesMessage:
        """A message with bytes, which can be written to."""
        self._check_open()
        return BytesMessage(data)

    def create_map_message(self, items: Mapping[str, MapValue] | None = None) -> MapMessage:
        """A message with values by name; raises MessageFormatError naming an item that is not allowed."""
        self._check_open()
        return MapMessage(items)

    def create_stream_message(self, fields: Sequence[MapValue] = ()) -> StreamMessage:
        """A message with a sequence of values, to be written; raises MessageFormatError for one that is not allowed."""
        self._check_open()
        return StreamMessage(fields)

    def create_object_message(self, data: object = None) -> ObjectMessage:
        """A message with plain data; raises MessageFormatError for anything else."""
        self._check_open()
        return ObjectMessage(data)
