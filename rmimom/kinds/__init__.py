"""The kinds of messages that have a class of their own (Jakarta Messaging 3.1 §3.11).

A received message is of the class of its kind.  Importing this package makes the classes known to `Message.from_frame`.
"""

from __future__ import annotations

from rmimom.kinds.bytes import BytesMessage
from rmimom.kinds.map import MapMessage
from rmimom.kinds.object import ObjectMessage
from rmimom.kinds.stream import StreamMessage
from rmimom.kinds.text import TextMessage
from rmimom.message import classes_of

__all__ = ["BytesMessage", "MapMessage", "ObjectMessage", "StreamMessage", "TextMessage", "classes_of"]
