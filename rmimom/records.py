"""Records: what must survive.  One language for the store, for the standby and for recovery.

The core decides and writes down its decisions as records; a store that appends them and a standby that applies them
hold the same state.  Records of one turn of the engine form a `Batch`, which is kept whole or not at all.

A *mailbox* is a place where messages wait: a queue (its destination id) or a durable subscription (its own id).
Ids of destinations, subscriptions and messages come from one sequence and are never used twice.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from rmimom.frame import Head


class DestinationCreated(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A queue or topic exists from now on; `created` in milliseconds since 1970 UTC.

    `paused` is for snapshots: a new destination is not, see `DestinationPaused`.
    """

    id: int
    kind: str
    name: str
    created: int
    paused: bool = False


class DestinationDeleted(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A queue or topic is gone, with its subscriptions and everything that waited there.

    What subscriptions with a pattern have of the topic stays with them.
    """

    id: int


class DestinationPaused(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A queue delivers nothing from now on, or delivers again."""

    id: int
    paused: bool


class SubscriptionCreated(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A durable subscription of a topic exists from now on, identified by client id and name (§8.3.3).

    `callback` is the URI of an IClientRMI object that subscribed without our client library, else empty.
    A `shared` one may have several consumers (§8.3.4).  One with a `pattern` belongs to all topics that match it, now
    and later, and `destination` is 0.
    """

    id: int
    destination: int
    client_id: str
    name: str
    selector: str
    no_local: bool
    callback: str
    created: int
    shared: bool = False
    pattern: str = ""


class SubscriptionDeleted(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A durable subscription is gone, with everything that waited there."""

    id: int


class CallbackChanged(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """The callback object of a subscription moved; an empty URI means that the subscriber is offline."""

    subscription: int
    callback: str


class MessagesStored(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages sent to one destination; every one of them waits in each of `mailboxes`.

    `ids`, `heads` and `frames` have the same length and order.  A message whose head says NON_PERSISTENT is here
    because memory was short: it must not outlive a restart.
    `wishes` is JSON text of what each asks of the broker (`rmimom.wishes`), empty for nothing; the list is empty if
    none asks for anything.
    """

    destination: int
    mailboxes: list[int]
    ids: list[int]
    heads: list[Head]
    frames: list[bytes]
    wishes: list[str] = []


class MessagesRemoved(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages left a mailbox: acknowledged, expired or purged."""

    mailbox: int
    ids: list[int]


class MessagesDropped(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages that wait in no mailbox any more; what was stored of them may be reclaimed."""

    ids: list[int]


class MessagesReturned(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages came back to their mailbox without acknowledgement: each was delivered once more than before."""

    mailbox: int
    ids: list[int]


class MessagesFailed(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages that were delivered once more than before, and their consumer failed on them.

    They are not delivered again before `due`, in milliseconds since 1970 UTC; 0 for at once.
    """

    mailbox: int
    ids: list[int]
    due: int = 0


class MessagesMoved(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages left a mailbox and wait in each of `to` from now on: dead letters, or what is sent back from there.

    `counts` says how often each came back so far, `notes` is JSON text about its way; both have the length and order of
    `ids`.  Failures are counted from 0 again.  A mailbox of `to` that has the message already takes the new count and
    the new note.
    """

    mailbox: int
    to: list[int]
    ids: list[int]
    counts: list[int]
    notes: list[str]


class MailboxAdvanced(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Messages of the mailbox up to this id may have been delivered; after a crash they carry the redelivered flag."""

    mailbox: int
    delivered_up_to: int


class ProducerAdvanced(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Everything that the producer numbered up to `sequence` is accepted; a repetition is a duplicate."""

    producer: str
    sequence: int
    at: int


class ProducersForgotten(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Producers unheard of for so long that their sequences are not kept any more."""

    producers: list[str]


class UserPut(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A user exists, or has a new password or role; `digest` is scrypt of the password with `salt`.

    `role` says what the user may do in the administration (`rmimom.roles`); that of an administrator is always admin.
    """

    name: str
    salt: bytes
    digest: bytes
    administrator: bool
    role: str = ""


class UserRemoved(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A user is gone."""

    name: str


Record: TypeAlias = (
    DestinationCreated
    | DestinationDeleted
    | DestinationPaused
    | SubscriptionCreated
    | SubscriptionDeleted
    | CallbackChanged
    | MessagesStored
    | MessagesRemoved
    | MessagesDropped
    | MessagesReturned
    | MessagesFailed
    | MessagesMoved
    | MailboxAdvanced
    | ProducerAdvanced
    | ProducersForgotten
    | UserPut
    | UserRemoved
)


class Batch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The records of one turn of the engine: all of them or none.

    `epoch` counts the actives of the cluster, `sequence` the batches since the data directory was made;
    together they are the position in the log.  No id from `next_id` on was ever used.
    """

    epoch: int
    sequence: int
    next_id: int
    records: list[Record]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def encode_batch(batch: Batch) -> bytes:
    """A batch as bytes, for a standby."""
    return _encoder.encode(batch)


def decode_batch(data: bytes | memoryview) -> Batch:
    """Read `encode_batch`'s bytes; raises msgspec.MsgspecError if they are malformed."""
    return _decoder.decode(data)
