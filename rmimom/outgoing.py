"""What a send puts into a frame: the frame from its parts, and checks of the priority and the durations in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from rmimom import frame as wire
from rmimom.errors import MessageFormatError

MAX_TIME: Final = 2**53
"""The latest time a header can hold, in milliseconds since 1970: exact in every JSON reader."""


def make_frame(
    destination: str,
    message_id: str,
    now: int,
    kind: int,
    body: bytes,
    *,
    properties: bytes = b"{}",
    priority: int = wire.DEFAULT_PRIORITY,
    mode: int = wire.PERSISTENT,
    time_to_live: int = 0,
    delay: int = 0,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    type: str | None = None,
) -> wire.Frame:
    """A frame from its parts.  All times are milliseconds; both they and the priority are checked by the caller."""
    return wire.Frame(
        kind,
        mode,
        priority,
        now,
        now + time_to_live if time_to_live else 0,
        now + delay if delay else 0,
        destination,
        message_id,
        len(properties),
        len(body),
        correlation_id,
        reply_to,
        type,
        properties,
        body,
    )


def check_priority(priority: object) -> int:
    """Return the priority if it is an int from 0 to 9, else raise MessageFormatError (§3.4.10)."""
    if type(priority) is int and 0 <= priority <= 9:
        return priority
    raise MessageFormatError(f"the priority is {priority!r}; it must be an int from 0 to 9")


def milliseconds(duration: float | timedelta | None, name: str) -> int:
    """A duration in seconds (or a timedelta) as whole milliseconds, rounded up; None is 0.

    Raises MessageFormatError, naming the setting, for one that is negative, not a number or too long.
    """
    if duration is None:
        return 0
    try:
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    except (TypeError, ValueError):
        raise MessageFormatError(f"{name} is {duration!r}; it must be a number of seconds or a timedelta") from None
    if not 0 <= seconds * 1000 <= MAX_TIME:
        raise MessageFormatError(f"{name} is {duration!r}; it must be a number of seconds, 0 or more")
    whole = int(seconds * 1000)
    return whole if whole == seconds * 1000 else whole + 1
