"""What the sender of a message asks of the broker in its properties.

The broker reads no properties on their way; these few it must know, also after a restart, when the frame rests on disk.
So they are read once, when the message is accepted, and kept beside it as JSON text.  Most messages have none.

Numbers may be text, because some protocols have no other properties.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rmimom.errors import MessageFormatError
from rmimom.frame import Head, decode_frame
from rmimom.note import PREFIX
from rmimom.policy import MAX_DELAY, MAX_REDELIVERIES, UNLIMITED
from rmimom.values import PropertyValue, decode_properties

MAX_REDELIVERIES_NAME: Final = PREFIX + "max_redeliveries"
REDELIVERY_DELAY_NAME: Final = PREFIX + "redelivery_delay"

SHORTEST: Final = len(b'{"JMSXGroupID":"x"}')
"""No properties of fewer bytes hold a wish."""
MIN_INT: Final = -(2**31)
MAX_INT: Final = 2**31 - 1
_SIGNS: Final = (PREFIX.encode(), b"JMSXGroupID")


class Wishes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one message asks for.

    `max_redeliveries` (-1 without limit) and `redelivery_delay` (milliseconds before each) override the policy of its
    destination.  `group` is JMSXGroupID; the message `closes` it if its JMSXGroupSeq is below 0 (§3.5.9).
    """

    max_redeliveries: int | None = None
    redelivery_delay: int | None = None
    group: str = ""
    closes: bool = False


_NOTHING: Final = Wishes()
_decode = msgspec.json.Decoder(Wishes).decode
_encode = msgspec.json.Encoder().encode


def read_wishes(head: Head, frame: bytes) -> Wishes | None:
    """What a message asks for, None for nothing; raises MessageFormatError for what cannot be granted."""
    end = len(frame) - head.body_length
    start = end - head.properties_length - 5  # the body has a header of up to five bytes
    for sign in _SIGNS:
        if frame.find(sign, max(start, 0), end) >= 0:
            break
    else:
        return None
    properties = decode_properties(decode_frame(frame).properties)
    wishes = Wishes(
        max_redeliveries=_number(properties, MAX_REDELIVERIES_NAME, UNLIMITED, MAX_REDELIVERIES),
        redelivery_delay=_number(properties, REDELIVERY_DELAY_NAME, 0, MAX_DELAY),
    )
    group = properties.get("JMSXGroupID")
    if isinstance(group, str) and group:
        closes = (_number(properties, "JMSXGroupSeq", MIN_INT, MAX_INT) or 0) < 0
        wishes = msgspec.structs.replace(wishes, group=group, closes=closes)
    return None if wishes == _NOTHING else wishes


def encode_wishes(wishes: Wishes) -> str:
    """The wishes as text."""
    return _encode(wishes).decode()


def decode_wishes(text: str) -> Wishes | None:
    """Read wishes from the store; what is unreadable there asks for nothing, for the message is worth more."""
    try:
        return _decode(text) if text else None
    except msgspec.MsgspecError:
        return None


def _number(properties: dict[str, PropertyValue], name: str, least: int, most: int) -> int | None:
    value = properties.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            value = str(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise MessageFormatError(
            f"property {name!r} is {value!r}; it must be a whole number from {least} to {most}", property=name
        )
    return int(value)
