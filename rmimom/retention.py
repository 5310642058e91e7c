"""How much of a topic is kept for subscribers who come later: its retention.

Only subscribers who ask for it get what is kept (they are called retroactive).  It rests in memory, within the bounds
given here, and is gone with the server.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rmimom.destination import TEMPORARY, Destination
from rmimom.errors import ConfigurationError
from rmimom.policy import check_pattern, compile_rule

MOST_MESSAGES = 1_000_000
MOST_BYTES = 1024 * 1024 * 1024
MOST_MILLISECONDS = 366 * 24 * 3600 * 1000


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """For the topics that `pattern` fits: the last `messages`, at most `bytes` of them, no older than `milliseconds`.

    0 milliseconds: however old.  Raises ConfigurationError when a value is out of its range.
    """

    pattern: str
    messages: int = 100
    bytes: int = 1024 * 1024
    milliseconds: int = 0

    def __post_init__(self) -> None:
        check_pattern(self.pattern)
        for name, value, least, most in (
            ("messages", self.messages, 1, MOST_MESSAGES),
            ("bytes", self.bytes, 1, MOST_BYTES),
            ("seconds", self.milliseconds, 0, MOST_MILLISECONDS),
        ):
            if not least <= value <= most:
                raise ConfigurationError(f"{name} is {value}, but must be between {least} and {most}", setting=name)


def retention_of(topic: Destination, retentions: Iterable[Retention]) -> Retention | None:
    """The first that fits the topic; nothing is kept of temporary ones."""
    if isinstance(topic, TEMPORARY):
        return None
    text = str(topic)
    return next((one for one in retentions if compile_rule(one.pattern).fullmatch(text)), None)
