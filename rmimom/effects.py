"""Effects: what may be told once the records that belong to it are safe."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from rmimom.destination import Destination
from rmimom.errors import JMSError
from rmimom.records import Record


class Accepted(msgspec.Struct, frozen=True):
    """The command was carried out; `value` is what the command's description promises."""

    value: object = None


class Refused(msgspec.Struct, frozen=True):
    """The command changed nothing; the error says why."""

    error: JMSError


class Delivery(msgspec.Struct, frozen=True):
    """One message for consumers of one connection.

    `frame` is None when the bytes rest in the store and must be fetched before they are told.
    `counts` is JMSXDeliveryCount, one for each of `consumers`.
    """

    tag: int
    consumers: list[int]
    counts: list[int]
    frame: bytes | None


class Deliver(msgspec.Struct, frozen=True):
    """Messages for one connection, in order."""

    connection: str
    deliveries: list[Delivery]


class ConsumerClosed(msgspec.Struct, frozen=True):
    """The server closed a consumer that its client did not ask to close."""

    connection: str
    consumer: int
    error: JMSError


class DestinationAdded(msgspec.Struct, frozen=True):
    """A queue or topic is new: it can be registered in the name server."""

    destination: Destination


class DestinationRemoved(msgspec.Struct, frozen=True):
    """A queue or topic is gone."""

    destination: Destination


Reply: TypeAlias = Accepted | Refused
Effect: TypeAlias = Deliver | ConsumerClosed | DestinationAdded | DestinationRemoved


class Outcome(msgspec.Struct, frozen=True):
    """What the core decided: the answer, what must survive first, and what may be told then."""

    reply: Reply
    records: list[Record]
    effects: list[Effect]
