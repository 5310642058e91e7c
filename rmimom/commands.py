"""Commands: what is asked of the core.  Every command says which connection asks.

A connection is known by the text that its listener chose for it; a consumer by a number that its client chose,
unique in its connection.  The answer to each command is one `Accepted` or `Refused` effect.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from rmimom.destination import Destination, Temporary


class Connect(msgspec.Struct, frozen=True, gc=False):
    """A client connects as `user`, with a client id if it wants durable subscriptions of its own (§6.1.2)."""

    connection: str
    user: str
    client_id: str = ""


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    """The client is gone: its consumers close and what they held goes back in order.

    If it said goodbye it repeats nothing any more, so an `orderly` end also forgets the numbers of its producers.
    """

    connection: str
    orderly: bool = False


class CreateDestination(msgspec.Struct, frozen=True, gc=False):
    """Make a queue or topic; harmless if it exists.  Accepted carries True if it is new."""

    connection: str
    destination: Destination


class DeleteDestination(msgspec.Struct, frozen=True, gc=False):
    """Delete a queue or topic with all that waits there; refused while it has consumers."""

    connection: str
    destination: Destination


class CreateTemporary(msgspec.Struct, frozen=True, gc=False):
    """Make a temporary queue or topic of the connection (§6.2.2), under a name that nobody guesses.

    Every connection may send to it, only this one may consume from it.  It is gone with the connection, with
    `DeleteTemporary` or with the server, and never on disk.  Harmless if the connection has it; refused if another has.
    """

    connection: str
    destination: Temporary


class DeleteTemporary(msgspec.Struct, frozen=True, gc=False):
    """Delete a temporary destination of the connection with what waits there; refused while it has a consumer.

    Harmless if it is gone.
    """

    connection: str
    destination: Temporary


class Purge(msgspec.Struct, frozen=True, gc=False):
    """Remove all messages that wait in a queue and are held by nobody.  Accepted carries their number."""

    connection: str
    destination: Destination


class Send(msgspec.Struct, frozen=True, gc=False):
    """Frames of one producer to one destination, or a copy of each to several (`rmimom.composite`), all or none.

    `sequence` numbers the first frame; the producer counts from 1 without gaps, so that what comes again
    after a lost answer is recognised and accepted without being stored again.  An empty producer name means
    that the sender does not number.  Accepted carries nothing.
    """

    connection: str
    producer: str
    sequence: int
    destination: Destination
    frames: list[bytes]


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """Open a consumer on a queue, a topic, or all queues or topics that match a pattern, now and later.

    `durable` names a durable subscription of the connection's client id (made if need be).  A `shared` subscription may
    have several consumers, who compete; it is the durable one, or the one of this `name`, which lives as long as any
    of its consumers (§8.3.2, §8.3.4).
    `prefetch` is how many messages, `prefetch_bytes` how many bytes may be with the consumer unacknowledged.
    Of the consumers of a queue or a shared subscription those with a higher `priority` are served first while they have
    room; if any is `exclusive`, one such alone is served (`rmimom.core.line`).
    A new subscription that is not durable and `retroactive` first gets what is kept of its topics (`rmimom.retention`).
    After a reconnection `settled` lists the tags that the consumer acknowledged without hearing the answer, and
    `held` the tags that it still works on.  Accepted carries the set of those of `held` that are no longer its own.
    """

    connection: str
    consumer: int
    destination: Destination
    durable: str = ""
    selector: str = ""
    no_local: bool = False
    prefetch: int = 1000
    prefetch_bytes: int = 64 * 1024 * 1024
    settled: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    callback: str = ""
    shared: bool = False
    name: str = ""
    priority: int = 0
    exclusive: bool = False
    retroactive: bool = False


class CloseConsumer(msgspec.Struct, frozen=True, gc=False):
    """Close a consumer; what it held goes back in order.  A durable subscription stays.

    Of what its session is not done with (§8.8) the tags are in `keep`: those it goes on holding, if it holds them, and
    gets nothing more, until it has said what becomes of them and is closed again, without `keep`.
    """

    connection: str
    consumer: int
    keep: tuple[int, ...] | list[int] = ()


class DeleteSubscription(msgspec.Struct, frozen=True, gc=False):
    """Delete a durable subscription of the connection's client id; refused while it has a consumer (§8.3.3)."""

    connection: str
    name: str


class Acknowledge(msgspec.Struct, frozen=True, gc=False):
    """The consumer is done with messages: all it holds, in order of delivery, up to tag `up_to` (0: none), and `tags`.

    A tag that the consumer does not hold is passed over.
    """

    connection: str
    consumer: int
    up_to: int = 0
    tags: tuple[int, ...] | list[int] = ()


class Release(msgspec.Struct, frozen=True, gc=False):
    """The consumer failed on messages: they are delivered again, at their old place, flagged and counted.

    When and how often says the policy of the destination (`rmimom.policy`), unless the sender (`rmimom.wishes`) or
    before it `delay` (milliseconds) or `maximum` (redeliveries, -1 without limit) override it.  After that, or at once
    if `dead`, they become dead letters; `reason` is told with them.  With `keep` the consumer goes on holding those
    that can be delivered again at once, and delivers them itself, in order; Accepted carries the tags of the others.
    With `close` the consumer closes, too; what else it held has not failed.
    """

    connection: str
    consumer: int
    tags: tuple[int, ...] | list[int] = ()
    delay: int | None = None
    maximum: int | None = None
    dead: bool = False
    reason: str = ""
    keep: bool = False
    close: bool = False


class Commit(msgspec.Struct, frozen=True, gc=False):
    """A local transaction (§6.2.7): all its sends and acknowledgements, or none.

    `transaction` names the session's transactions and `number` counts them from 1; what is committed twice under one
    number (because the first answer was lost) is done once.  `sends` are frames by destination, in order; `acks` are
    (consumer, up_to, tags) as in `Acknowledge`, `releases` what consumers of the connection failed on.  If they do not
    hold everything that these name, because it went to others after a reconnection, the command is refused with
    TransactionRolledBackError.
    """

    connection: str
    transaction: str
    number: int
    sends: list[tuple[Destination, list[bytes]]]
    acks: list[tuple[int, int, list[int]]]
    releases: list[Release] = []


class Retry(msgspec.Struct, frozen=True, gc=False):
    """Dead letters and expired messages that wait in a queue go back to where they came from: those of `ids`, or all.

    Accepted carries the number of those that went.  What is held by a consumer, or may be because the server has
    just been restarted, stays; and so does what came from a subscription that does not exist any more.
    """

    connection: str
    destination: Destination
    ids: tuple[int, ...] | list[int] | None = None


class CancelScheduled(msgspec.Struct, frozen=True, gc=False):
    """Forget scheduled messages: those of `ids`, or all.  Accepted carries their number."""

    connection: str
    ids: tuple[int, ...] | list[int] | None = None


class DeliverScheduled(msgspec.Struct, frozen=True, gc=False):
    """Send scheduled messages now, whatever their time; that counts as once.  Accepted carries their number."""

    connection: str
    ids: tuple[int, ...] | list[int]


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """The answer to a `Fetch` effect: the frames of these messages, as far as they are stored."""

    ids: list[int]
    frames: dict[int, bytes]


class Move(msgspec.Struct, frozen=True, gc=False):
    """Messages that wait ready in a queue wait in another from now on, in their order; each keeps its headers.

    Accepted carries the ids of those that went: what is held, in doubt, delayed or gone by now is passed over.
    """

    connection: str
    queue: Destination
    ids: tuple[int, ...] | list[int]
    to: Destination


class Bury(msgspec.Struct, frozen=True, gc=False):
    """Messages that wait ready in a queue become dead letters, as if a consumer had rejected them for this reason.

    Accepted carries the ids of those that went: what is held, in doubt, delayed, gone by now or dead already is passed
    over.
    """

    connection: str
    queue: Destination
    ids: tuple[int, ...] | list[int]
    reason: str = ""


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Remove messages that wait in a queue, or in the subscriptions of a topic; delayed ones, too.

    Accepted carries the ids of those that went: what is held, in doubt or gone by now is passed over.
    """

    connection: str
    destination: Destination
    ids: tuple[int, ...] | list[int]


class DeliverNow(msgspec.Struct, frozen=True, gc=False):
    """Delayed messages of a queue, or of the subscriptions of a topic, are due now.

    Accepted carries the ids of those that are; the others are not delayed (any more) and are passed over.
    """

    connection: str
    destination: Destination
    ids: tuple[int, ...] | list[int]


class Pause(msgspec.Struct, frozen=True, gc=False):
    """A queue delivers nothing, but takes messages, until the same is said with `paused` False; it survives restarts.

    Accepted carries whether that changed anything.
    """

    connection: str
    queue: Destination
    paused: bool = True


class CreateSubscription(msgspec.Struct, frozen=True, gc=False):
    """Make a durable subscription of a topic or a pattern for a client id that connects later; refused if it exists.

    Accepted carries its id.
    """

    connection: str
    destination: Destination
    client_id: str
    name: str
    selector: str = ""
    no_local: bool = False
    shared: bool = False


class RemoveSubscription(msgspec.Struct, frozen=True, gc=False):
    """Delete a durable subscription of anybody with what waits there; refused while it has a consumer."""

    connection: str
    subscription: int


class Browse(msgspec.Struct, frozen=True, gc=False):
    """Look at what waits in a queue, in the order of delivery, and change nothing (§4.1.6).

    What is held, delayed, expired or in doubt does not wait.  `after` is the place of the last message seen, its
    priority and id; `limit` is how many messages to look at.  Accepted carries an effects.Page; what memory holds is
    held against the selector, what rests in the store is left to who reads it.
    With a pattern one looks at all queues that match, one after the other, in the order of their names; `within` is
    then the name of the queue in which `after` is a place.
    """

    connection: str
    queue: Destination
    selector: str = ""
    after: tuple[int, int] | None = None
    limit: int = 100
    within: str = ""


class PutUser(msgspec.Struct, frozen=True, gc=False):
    """Add a user, or change a password or a role; the roles are those of `rmimom.roles`, empty for none."""

    connection: str
    name: str
    salt: bytes
    digest: bytes
    administrator: bool = False
    role: str = ""


class RemoveUser(msgspec.Struct, frozen=True, gc=False):
    """Remove a user.  Refused if unknown."""

    connection: str
    name: str


class Examined(msgspec.Struct, frozen=True, gc=False):
    """The answer to an `Examine` effect: the selector takes these messages of the queue."""

    mailbox: int
    selector: str
    ids: list[int]


class Tick(msgspec.Struct, frozen=True, gc=False):
    """Time has passed: expire what is over, end what waited for a time."""


Command: TypeAlias = (
    Connect
    | Disconnect
    | CreateDestination
    | DeleteDestination
    | CreateTemporary
    | DeleteTemporary
    | Purge
    | Send
    | Subscribe
    | CloseConsumer
    | DeleteSubscription
    | Acknowledge
    | Commit
    | Release
    | Move
    | Bury
    | Remove
    | DeliverNow
    | Pause
    | CreateSubscription
    | RemoveSubscription
    | Browse
    | Retry
    | CancelScheduled
    | DeliverScheduled
    | Fetched
    | PutUser
    | RemoveUser
    | Examined
    | Tick
)
