"""Effects: what may be told once the records that belong to it are safe."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import msgspec

from rmimom.destination import Destination
from rmimom.errors import JMSError
from rmimom.frame import Delivered
from rmimom.records import Record

NOT_LOADED: Final = msgspec.Raw(b"")
"""Stands for a frame that rests in the store."""


class Accepted(msgspec.Struct, frozen=True):
    """The command was carried out; `value` is what the command's description promises."""

    value: object = None


class Page(msgspec.Struct, frozen=True):
    """Some of what waits in a queue, in the order of delivery, for a `Browse` command.

    `after` is where the next page begins, None at the end; with a pattern of queues, a place in the queue `within`, and
    each note says from which queue the message is.  A frame of `NOT_LOADED` rests in the store: whether the
    selector takes that message is not known yet.
    """

    messages: list[Delivered]
    after: tuple[int, int] | None
    within: str = ""


class Refused(msgspec.Struct, frozen=True):
    """The command changed nothing; the error says why."""

    error: JMSError


class Deliver(msgspec.Struct, frozen=True):
    """Messages for one connection, in order.

    An empty frame (`NOT_LOADED`) means that the bytes rest in the store and must be fetched before they are told.
    """

    connection: str
    deliveries: list[Delivered]


class Examine(msgspec.Struct, frozen=True):
    """Messages of a queue whose frames rest in the store are to be held against selectors.

    The engine reads the frames and answers with `Examined` commands.  `notes` are those of messages that came from
    other mailboxes (`rmimom.note`), for selectors see them as properties.
    """

    mailbox: int
    selectors: list[str]
    ids: list[int]
    notes: dict[int, str] = {}


class Fetch(msgspec.Struct, frozen=True):
    """The core needs the frames of these messages, which rest in the store.

    The engine reads them and answers with a `Fetched` command.
    """

    ids: list[int]


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


class Arrival(NamedTuple):
    """A message that came to a destination: its id (0 if several have one each), frame, returns and note.

    An empty frame rests in the store.
    """

    id: int
    frame: bytes
    returns: int = 0
    note: str = ""


class Arrived(msgspec.Struct, frozen=True):
    """Messages came to a destination that is followed, in this order; whoever consumes them is told by `Deliver`."""

    destination: Destination
    messages: list[Arrival]


Reply: TypeAlias = Accepted | Refused
Effect: TypeAlias = Deliver | Examine | Fetch | ConsumerClosed | DestinationAdded | DestinationRemoved | Arrived


class Outcome(msgspec.Struct, frozen=True):
    """What the core decided: the answer, what must survive first, and what may be told then."""

    reply: Reply
    records: list[Record]
    effects: list[Effect]
