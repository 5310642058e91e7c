"""What the sender of a message asks of the broker in its properties.

The broker reads no properties on their way; these few it must know, also after a restart, when the frame rests on disk.
So they are read once, when the message is accepted, and kept beside it as JSON text.  Most messages have none.

Numbers may be text, because some protocols have no other properties.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rmimom.cron import parse_cron
from rmimom.errors import MessageFormatError
from rmimom.frame import Head, decode_frame
from rmimom.note import PREFIX
from rmimom.policy import MAX_DELAY, MAX_REDELIVERIES, UNLIMITED
from rmimom.values import PropertyValue, decode_properties

MAX_REDELIVERIES_NAME: Final = PREFIX + "max_redeliveries"
REDELIVERY_DELAY_NAME: Final = PREFIX + "redelivery_delay"

SHORTEST: Final = len(b'{"JMSXGroupID":"x"}')
"""No properties of fewer bytes hold a wish."""
MAX_TIME: Final = 100 * 366 * 24 * 3600 * 1000
"""A hundred years, in milliseconds."""
MIN_INT: Final = -(2**31)
MAX_INT: Final = 2**31 - 1
SCHEDULED: Final = "AMQ_SCHEDULED_"
"""How the properties of a schedule begin, as in ActiveMQ."""
_SIGNS: Final = (PREFIX.encode(), b"JMSXGroupID", SCHEDULED.encode())


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """When a message is to be sent (`rmimom.core.scheduling`); times in milliseconds.

    First after `delay` (or, without one, after `period`), then again each `period` for `repeat` more times (-1 for
    ever).  With a `cron` entry (`rmimom.cron`) at its times; a delay and a period then count from each of these.
    `start` and `destination` are filled in by the server.
    """

    delay: int = 0
    period: int = 0
    repeat: int = 0
    cron: str = ""
    start: int = 0
    destination: str = ""


class Wishes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one message asks for.

    `max_redeliveries` (-1 without limit) and `redelivery_delay` (milliseconds before each) override the policy of its
    destination.  `group` is JMSXGroupID; the message `closes` it if its JMSXGroupSeq is below 0 (§3.5.9).
    `schedule` says when to send it, None for at once.
    """

    max_redeliveries: int | None = None
    redelivery_delay: int | None = None
    group: str = ""
    closes: bool = False
    schedule: Schedule | None = None


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
        schedule=_schedule(properties),
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


def _schedule(properties: dict[str, PropertyValue]) -> Schedule | None:
    delay = _number(properties, SCHEDULED + "DELAY", 0, MAX_TIME) or 0
    period = _number(properties, SCHEDULED + "PERIOD", 0, MAX_TIME) or 0
    repeat = _number(properties, SCHEDULED + "REPEAT", -1, MAX_INT) or 0
    cron = properties.get(SCHEDULED + "CRON") or ""
    if repeat and not period:
        raise MessageFormatError(f"{SCHEDULED}REPEAT says how often, but no {SCHEDULED}PERIOD says after what time")
    if not isinstance(cron, str):
        raise MessageFormatError(f"property {SCHEDULED}CRON must be a str, but it is a {type(cron).__name__}")
    if cron:
        parse_cron(cron)
    return Schedule(delay=delay, period=period, repeat=repeat, cron=cron) if delay or period or cron else None


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
