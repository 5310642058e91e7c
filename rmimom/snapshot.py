"""The state of a store as recovery reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import msgspec

from rmimom.records import DestinationCreated, ProducerAdvanced, SubscriptionCreated, UserPut


class Position(msgspec.Struct, frozen=True, order=True):
    """Where a store stands in the log: the last batch it holds, and the first id that is free for sure."""

    epoch: int = 0
    sequence: int = 0
    next_id: int = 1


class MessageRow(NamedTuple):
    """What recovery needs of one stored message; the frame stays on disk.

    `size` is the length of the frame in bytes; times are milliseconds since 1970 UTC, 0 for none.  `wishes` is JSON
    text of what the sender asked of the broker (`rmimom.wishes`), or empty.
    """

    id: int
    destination: int
    priority: int
    expiration: int
    delivery_time: int
    size: int
    wishes: str = ""


class DeliveryRow(NamedTuple):
    """A message waits in a mailbox; it was returned `returns` times, `failures` of them because a consumer failed.

    `note` is JSON text about its way from another mailbox, or empty.  After the last failure it is not to be delivered
    before `due`, in milliseconds since 1970 UTC; 0 for at once.
    """

    mailbox: int
    message: int
    returns: int
    failures: int = 0
    note: str = ""
    due: int = 0


class Snapshot(Protocol):
    """The state of a store as of the call to `load`; each iterator may be read once, before the next append.

    Order: destinations and subscriptions by id, messages by id, deliveries by mailbox and then message.
    """

    position: Position

    def destinations(self) -> Iterator[DestinationCreated]: ...

    def subscriptions(self) -> Iterator[SubscriptionCreated]: ...

    def producers(self) -> Iterator[ProducerAdvanced]: ...

    def users(self) -> Iterator[UserPut]: ...

    def delivered_up_to(self) -> Mapping[int, int]:
        """For each mailbox the last id that may have been delivered (MailboxAdvanced); absent means 0."""
        ...

    def messages(self) -> Iterator[MessageRow]: ...

    def deliveries(self) -> Iterator[DeliveryRow]: ...
