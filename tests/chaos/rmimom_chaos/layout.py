"""What the clients do: destinations and subscriptions, known to those who work on them and to those who judge."""

from __future__ import annotations

from typing import Final

from rmimom_chaos.history import INFO
from rmimom_chaos.recorder import Recorder

WORK: Final = "queue://chaos.work"
"""Sent one by one and in bunches, acknowledged one by one."""
NEWS: Final = "topic://chaos.news"
ARCHIVE, URGENT = "archive", "urgent"
"""Durable subscriptions of the topic; the second takes only what has at least this priority:"""
LEAST_PRIORITY: Final = 6
ORDERS, LEFT, RIGHT = "queue://chaos.orders", "queue://chaos.left", "queue://chaos.right"
"""From the first queue messages are taken and sent on to the two others, in transactions."""
GROUPS: Final = "queue://chaos.groups"
GROUP_NAMES: Final = ("ash", "birch", "cedar", "doum", "elm")
LATER: Final = "queue://chaos.later"
"""Messages that are not to be delivered before a time."""
BRIEF, EXPIRED = "queue://chaos.brief", "queue://EXPIRED.chaos.brief"
"""Messages that expire, and where they go then."""
POISON, DEAD = "queue://chaos.poison", "queue://DLQ.chaos.poison"
"""Messages of which some fail every time, and where they go then."""
MAXIMUM: Final = 2
"""Failures after which one more makes a dead letter."""

QUEUES: Final = (WORK, ORDERS, LEFT, RIGHT, GROUPS, LATER, BRIEF, EXPIRED, POISON, DEAD)
PLACES: Final = (*QUEUES, ARCHIVE, URGENT)

CONFIGURATION: Final = f"""\
[[redelivery]]
destination = "{POISON}"
maximum = {MAXIMUM}

[[redelivery]]
destination = "{BRIEF}"
maximum = -1
expiry = "EXPIRED.{{name}}"

[[redelivery]]
destination = ">"
maximum = -1
"""
"""For the servers."""


def note_policies(recorder: Recorder) -> None:
    """Tell the history which queues are for what is dead."""
    recorder.note("harness", INFO, "policy", place=POISON, destination=DEAD, value="dead")
    recorder.note("harness", INFO, "policy", place=BRIEF, destination=EXPIRED, value="expired")
