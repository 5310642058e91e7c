"""Frames for tests of the core and engine, where only the head matters."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rmimom.destination import Destination
from rmimom.frame import DEFAULT_PRIORITY, NON_PERSISTENT, PERSISTENT, TEXT, Frame, decode_frame, encode
from rmimom.values import PropertyValue


def frame_for(
    destination: Destination,
    body: str = "a",
    *,
    priority: int = DEFAULT_PRIORITY,
    persistent: bool = True,
    expiration: int = 0,
    delivery_time: int = 0,
    properties: Mapping[str, PropertyValue] | None = None,
) -> bytes:
    """A text message as its sender would make it."""
    data = body.encode()
    text = msgspec.json.encode(properties) if properties else b""
    mode = PERSISTENT if persistent else NON_PERSISTENT
    return encode(
        Frame(
            kind=TEXT,
            mode=mode,
            priority=priority,
            timestamp=1,
            expiration=expiration,
            delivery_time=delivery_time,
            destination=str(destination),
            message_id="",
            properties_length=len(text),
            body_length=len(data),
            correlation_id=None,
            reply_to=None,
            type=None,
            properties=text,
            body=data,
        )
    )


def body_of(frame: bytes) -> str:
    """The text of such a message."""
    return decode_frame(frame).body.decode()
