"""What becomes of a message that its consumers fail on, or that expires: the redelivery policy of its destination.

A failure is what a consumer says of a message it was given: recover, rollback, nack, an error in a listener.  A
consumer that merely goes away has failed on nothing: most of what it held it never looked at.  After `maximum`
redeliveries the next failure makes the message a dead letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from zlib import crc32

import msgspec

from rmimom.destination import MAX_NAME_LENGTH, SYSTEM_PREFIX, TEMPORARY, Destination, check_name
from rmimom.errors import ConfigurationError, JMSError

UNLIMITED: Final = -1
"""As a maximum: redelivered for ever."""
MAX_REDELIVERIES: Final = 1_000_000
MAX_DELAY: Final = 30 * 24 * 3600 * 1000
"""The longest delay that can be asked for: 30 days, in milliseconds."""
NAME: Final = "{name}"
"""Stands for the name of the destination in the name of a dead letter or expiry queue."""


class RedeliveryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and when a message is delivered again, and where it goes then.

    `maximum` redeliveries (6 as in ActiveMQ; RabbitMQ has 20), or UNLIMITED.  The first comes after `delay`
    milliseconds, each other after `multiplier` times the delay before, but at most `maximum_delay`; `jitter` shortens
    each delay by up to this fraction, so that what failed together does not come back together.  Without a delay a
    message comes back at once, which keeps the order; with one, others overtake it.

    `dead_letter` and `expiry` name the queues for dead letters and for expired messages, with {name} in the place of
    the destination's name; empty: such messages are removed.

    Raises ConfigurationError when a value is out of its range.
    """

    maximum: int = 6
    delay: int = 0
    multiplier: float = 1.0
    maximum_delay: int = 3600 * 1000
    jitter: float = 0.0
    dead_letter: str = "DLQ.{name}"
    expiry: str = ""

    def __post_init__(self) -> None:
        _check(self.maximum, "maximum", UNLIMITED, MAX_REDELIVERIES)
        _check(self.delay, "delay", 0, MAX_DELAY)
        _check(self.multiplier, "multiplier", 1, 1000)
        _check(self.maximum_delay, "maximum_delay", 0, MAX_DELAY)
        _check(self.jitter, "jitter", 0, 1)
        for name, queue in (("dead_letter", self.dead_letter), ("expiry", self.expiry)):
            if queue:
                _check_queue(name, queue)

    def delay_after(self, failures: int, message: int) -> int:
        """Milliseconds to wait after so many failures of the message with this id.

        Chance is made of the two numbers, so that the same commands always have the same outcome.
        """
        if not self.delay:
            return 0
        wait = float(self.delay)
        for _ in range(failures - 1):
            if wait >= self.maximum_delay or self.multiplier == 1:
                break
            wait *= self.multiplier
        wait = min(wait, self.maximum_delay)
        if self.jitter:
            wait *= 1 - self.jitter * crc32(b"%d:%d" % (message, failures)) / 2**32
        return round(wait)

    def dead_letter_queue(self, destination: Destination) -> str:
        """The name of the queue for its dead letters, or empty."""
        return _queue_for(self.dead_letter, destination)

    def expiry_queue(self, destination: Destination) -> str:
        """The name of the queue for what expires there, or empty."""
        return _queue_for(self.expiry, destination)


def _queue_for(pattern: str, destination: Destination) -> str:
    if isinstance(destination, TEMPORARY):
        return ""  # nothing of a temporary destination outlives its connection
    # A name may be so long that nothing fits before it; then two long names may share a queue.
    # What a subscription to a pattern of topics failed on has the pattern in it, without the wildcards.
    name = destination.name.replace("*", "+").replace(">", "++")
    return pattern.replace(NAME, name)[:MAX_NAME_LENGTH]


def _check(value: float, name: str, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}, but must be between {least} and {most}", setting=name)


def _check_queue(setting: str, queue: str) -> None:
    sample = queue.replace(NAME, "x")
    if sample.startswith(SYSTEM_PREFIX):
        raise ConfigurationError(
            f"{setting} is {queue!r}, but names that start with {SYSTEM_PREFIX!r} belong to the server", setting=setting
        )
    try:
        check_name(sample, "queue")
    except JMSError as error:
        raise ConfigurationError(f"{setting} is {queue!r}, but {error.text}", setting=setting) from None


class Rule(msgspec.Struct, frozen=True):
    """A policy, and the destinations that it is for.

    `pattern` is a name, `queue://name` or `topic://name`.  The parts of a name are separated by dots; `*` stands for
    one part, and `>` at the end for any number of them.
    """

    pattern: str
    policy: RedeliveryPolicy

    def __post_init__(self) -> None:
        check_pattern(self.pattern)


_PATTERN = re.compile(r"(?:(?:queue|topic)://)?(?!.*://)(?:>|(?:\*|[^\s.*>]+)(?:\.(?:\*|[^\s.*>]+))*(?:\.>)?)")


def check_pattern(pattern: str) -> None:
    """Raise ConfigurationError unless it is a pattern of destinations."""
    if not _PATTERN.fullmatch(pattern):
        raise ConfigurationError(
            f"{pattern!r} is no pattern of destinations; write a name, queue://NAME or topic://NAME, in which "
            "* stands for one part and > at the end for all that follow",
            setting="destination",
        )


def compile_rule(pattern: str) -> re.Pattern[str]:
    """An expression whose `fullmatch` says whether the pattern of a rule fits the text of a destination."""
    kind, separator, name = pattern.rpartition("://")
    parts = name.split(".")
    rest = parts[-1] == ">"
    if rest:
        parts.pop()
    text = r"\.".join(r"[^.]*" if part == "*" else re.escape(part) for part in parts)
    if rest:
        text = rf"{text}(?:\..*)?" if text else ".*"
    return re.compile(rf"{re.escape(kind) if separator else '[a-z]+'}://{text}")


class Policies:
    """The policy of each destination: that of the first rule whose pattern fits, else the default."""

    def __init__(self, rules: Iterable[Rule] = (), default: RedeliveryPolicy | None = None) -> None:
        self.rules = tuple(rules)
        self.default = default or RedeliveryPolicy()
        self._expressions = [(compile_rule(rule.pattern), rule.policy) for rule in self.rules]
        self._known: dict[Destination, RedeliveryPolicy] = {}

    def of(self, destination: Destination) -> RedeliveryPolicy:
        """The policy of a destination; it is looked for once."""
        found = self._known.get(destination)
        if found is None:
            text = str(destination)
            found = next((policy for fits, policy in self._expressions if fits.fullmatch(text)), self.default)
            self._known[destination] = found
        return found
