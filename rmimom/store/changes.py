"""A batch of records as few SQL statements.

Records that come by the hundred (messages stored, removed and dropped, positions of mailboxes and producers) are
gathered and written together at the end; they concern different rows, so their order does not matter.  A record that
could meet gathered ones, and every rare one, first has them written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from rmimom.records import (
    CallbackChanged,
    DestinationCreated,
    DestinationDeleted,
    DestinationPaused,
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    MessagesStored,
    ProducerAdvanced,
    ProducersForgotten,
    Record,
    SubscriptionCreated,
    SubscriptionDeleted,
    UserPut,
    UserRemoved,
)
from rmimom.store.segment import SegmentPacker
from rmimom.store.statements import ManyIds, ManyRows, Value

_SEGMENTS = ManyRows("segment", ("id", "layout", "checksum", "data"))
_MESSAGES = ManyRows(
    "message",
    (
        "id",
        "destination_id",
        "segment_id",
        "position",
        "length",
        "kind",
        "mode",
        "priority",
        "timestamp",
        "expiration",
        "delivery_time",
        "properties_length",
        "body_length",
        "wishes",
    ),
)
_DELIVERIES = ManyRows("delivery", ("mailbox_id", "message_id", "count"))
_MAILBOXES = ManyRows(
    "mailbox",
    ("id", "delivered_up_to"),
    " ON CONFLICT (id) DO UPDATE SET delivered_up_to = excluded.delivered_up_to"
    " WHERE excluded.delivered_up_to > mailbox.delivered_up_to",
)
_PRODUCERS = ManyRows(
    "producer",
    ("name", "sequence", "at"),
    " ON CONFLICT (name) DO UPDATE SET at = excluded.at, sequence = CASE"
    " WHEN excluded.sequence > producer.sequence THEN excluded.sequence ELSE producer.sequence END",
)
_WAITING = ManyIds("INSERT INTO delivery (mailbox_id, message_id, count) SELECT ?, id, 0 FROM message WHERE {}", "id")
# From so many on, a statement of their own that makes the rows out of those of the messages costs less than the rows.
_WORTH_A_STATEMENT = 8
_REMOVED = ManyIds("DELETE FROM delivery WHERE mailbox_id = ? AND {}", "message_id")
_RETURNED = ManyIds("UPDATE delivery SET count = count + 1 WHERE mailbox_id = ? AND {}", "message_id")
_FAILED = ManyIds(
    "UPDATE delivery SET count = count + 1, failures = failures + 1, due = ? WHERE mailbox_id = ? AND {}", "message_id"
)
_EXISTING = ManyIds("SELECT id FROM message WHERE {}", "id")
_MOVED = ManyRows(
    "delivery",
    ("mailbox_id", "message_id", "count", "note"),
    " ON CONFLICT (mailbox_id, message_id) DO UPDATE SET count = excluded.count, failures = 0, due = 0,"
    " note = excluded.note",
)
_LIVE = ManyIds("SELECT segment_id, sum(length) FROM message WHERE {} GROUP BY segment_id", "id")
_DROPPED = ManyIds("DELETE FROM message WHERE {}", "id")
_GARBAGE = ManyIds("DELETE FROM segment WHERE {}", "id")
# Messages of a destination that is gone; those that went on to other mailboxes, such as dead letters, stay.
_LIVE_LEFT_OVER = """
    SELECT segment_id, sum(length) FROM message
    WHERE destination_id = ? AND id NOT IN (SELECT message_id FROM delivery) GROUP BY segment_id"""
_DROP_LEFT_OVER = """
    DELETE FROM message WHERE destination_id = ? AND id NOT IN (SELECT message_id FROM delivery)"""
_ADD_DESTINATION = """
    INSERT INTO destination (id, kind, name, created, paused) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, created = excluded.created,
        paused = excluded.paused"""
_ADD_SUBSCRIPTION = """
    INSERT INTO subscription
        (id, destination_id, client_id, name, selector, no_local, callback, created, shared, pattern)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET destination_id = excluded.destination_id, client_id = excluded.client_id,
        name = excluded.name, selector = excluded.selector, no_local = excluded.no_local,
        callback = excluded.callback, created = excluded.created, shared = excluded.shared,
        pattern = excluded.pattern"""
# Messages of a destination that no subscription with a pattern has as well.
_ONLY_THERE = """destination_id = ? AND id NOT IN (SELECT message_id FROM delivery WHERE mailbox_id IN
    (SELECT id FROM subscription WHERE pattern <> ''))"""
_PUT_USER = """
    INSERT INTO account (name, salt, digest, administrator, role) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET salt = excluded.salt, digest = excluded.digest,
        administrator = excluded.administrator, role = excluded.role"""


def delete_segments(cursor: sqlite3.Cursor, segments: Sequence[int]) -> None:
    """Delete segments that hold nothing any more."""
    _GARBAGE.execute(cursor, segments)


def write_segments(cursor: sqlite3.Cursor, packer: SegmentPacker) -> list[tuple[int, int]]:
    """Write what was packed; returns id and size of each new segment."""
    rows = packer.finish()
    _SEGMENTS.insert(cursor, [value for row in rows for value in row])
    return [(number, len(data)) for number, _, _, data in rows]


class Changes:
    """The records of one batch on their way into the database, inside its transaction.

    After `write()`, and after the commit, `added` says which segments are new (id and bytes) and `dropped` how many
    bytes of which segment are not needed any more.
    """

    def __init__(self, cursor: sqlite3.Cursor, next_segment: int) -> None:
        self.added: list[tuple[int, int]] = []
        self.dropped: dict[int, int] = {}
        self.messages = 0
        self._cursor = cursor
        self._packer = SegmentPacker(next_segment)
        # The smallest id among the messages gathered, and the greatest among those removed or dropped; 0 for none.
        self._first_id = self._last_gone = 0
        self._messages: list[Value] = []
        self._waiting: dict[int, list[int]] = {}
        self._removed: dict[int, list[int]] = {}
        self._dropped: list[int] = []
        self._advanced: dict[int, int] = {}
        self._producers: dict[str, tuple[int, int]] = {}

    def apply(self, records: Sequence[Record]) -> None:
        """Apply records in their order.  Raises sqlite3.Error."""
        for record in records:
            _APPLY[type(record)](self, record)
        self._write()

    def _write(self) -> None:
        """Write what was gathered."""
        cursor = self._cursor
        if self._messages:
            self.added += write_segments(cursor, self._packer)
            _MESSAGES.insert(cursor, self._messages)
            self._write_deliveries()
            self.messages += len(self._messages) // _MESSAGES.width
            self._messages = []
        for mailbox, ids in self._removed.items():
            _REMOVED.execute(cursor, ids, mailbox)
        self._removed = {}
        if self._dropped:
            self._drop(_LIVE.execute(cursor, self._dropped).fetchall())
            self.messages -= _DROPPED.execute(cursor, self._dropped).rowcount
            self._dropped = []
        if self._advanced:
            _MAILBOXES.insert(cursor, [value for row in self._advanced.items() for value in row])
            self._advanced = {}
        if self._producers:
            _PRODUCERS.insert(cursor, [value for name, row in self._producers.items() for value in (name, *row)])
            self._producers = {}
        self._first_id = self._last_gone = 0

    def _write_deliveries(self) -> None:
        rows: list[Value] = []
        for mailbox, ids in self._waiting.items():
            if len(ids) < _WORTH_A_STATEMENT:
                for number in ids:
                    rows += (mailbox, number, 0)
            else:
                _WAITING.execute(self._cursor, ids, mailbox)
        _DELIVERIES.insert(self._cursor, rows)
        self._waiting = {}

    def _drop(self, live: Sequence[tuple[int, int]]) -> None:
        for segment, size in live:
            self.dropped[segment] = self.dropped.get(segment, 0) + size

    def _gather_gone(self, ids: Sequence[int]) -> None:
        """Messages go; if they may be among those gathered, these have to be written first."""
        last = max(ids)
        if self._first_id and last >= self._first_id:
            self._write()
        self._last_gone = max(self._last_gone, last)

    # One method for each kind of record.

    def _stored(self, record: MessagesStored) -> None:
        ids = record.ids
        if not ids:
            return
        first = min(ids)
        if first <= self._last_gone:
            self._write()
        self._first_id = min(self._first_id, first) if self._first_id else first
        rows, heads, frames = self._messages, record.heads, record.frames
        destination = record.destination
        lengths = [len(frame) for frame in frames]
        wishes = record.wishes or [""] * len(ids)
        for segment, position, start, end in self._packer.pack(ids, frames, lengths):
            for number, head, length, wish in zip(
                ids[start:end], heads[start:end], lengths[start:end], wishes[start:end], strict=True
            ):
                rows += (
                    number,
                    destination,
                    segment,
                    position,
                    length,
                    head.kind,
                    head.mode,
                    head.priority,
                    head.timestamp,
                    head.expiration,
                    head.delivery_time,
                    head.properties_length,
                    head.body_length,
                    wish,
                )
                position += length  # noqa: PLW2901 - the next one lies behind it
        for mailbox in record.mailboxes:
            gathered = self._waiting.get(mailbox)
            if gathered is None:
                self._waiting[mailbox] = list(ids)
            else:
                gathered += ids

    def _remove(self, record: MessagesRemoved) -> None:
        ids = record.ids
        if ids:
            self._gather_gone(ids)
            gathered = self._removed.get(record.mailbox)
            if gathered is None:
                self._removed[record.mailbox] = list(ids)
            else:
                gathered += ids

    def _drop_messages(self, record: MessagesDropped) -> None:
        if record.ids:
            self._gather_gone(record.ids)
            self._dropped += record.ids

    def _return(self, record: MessagesReturned) -> None:
        self._write()
        if record.ids:
            _RETURNED.execute(self._cursor, record.ids, record.mailbox)

    def _fail(self, record: MessagesFailed) -> None:
        self._write()
        if record.ids:
            _FAILED.execute(self._cursor, record.ids, record.due, record.mailbox)

    def _move(self, record: MessagesMoved) -> None:
        self._write()
        if not record.ids:
            return
        _REMOVED.execute(self._cursor, record.ids, record.mailbox)
        there = {number for (number,) in _EXISTING.execute(self._cursor, record.ids).fetchall()}
        rows: list[Value] = []
        for mailbox in record.to:
            for number, count, note in zip(record.ids, record.counts, record.notes, strict=True):
                if number in there:
                    rows += (mailbox, number, count, note)
        _MOVED.insert(self._cursor, rows)

    def _advance(self, record: MailboxAdvanced) -> None:
        last = self._advanced.get(record.mailbox, 0)
        self._advanced[record.mailbox] = max(last, record.delivered_up_to)

    def _advance_producer(self, record: ProducerAdvanced) -> None:
        last, _ = self._producers.get(record.producer, (0, 0))
        self._producers[record.producer] = (max(last, record.sequence), record.at)

    def _forget_producers(self, record: ProducersForgotten) -> None:
        self._write()
        for producer in record.producers:
            self._cursor.execute("DELETE FROM producer WHERE name = ?", (producer,))

    def _create_destination(self, record: DestinationCreated) -> None:
        self._write()
        self._cursor.execute(_ADD_DESTINATION, (record.id, record.kind, record.name, record.created, record.paused))

    def _delete_destination(self, record: DestinationDeleted) -> None:
        self._write()
        cursor, number = self._cursor, (record.id,)
        subscriptions = cursor.execute("SELECT id FROM subscription WHERE destination_id = ?", number).fetchall()
        for (mailbox,) in [*subscriptions, number]:
            self._delete_mailbox(mailbox)
        self._drop(cursor.execute(_LIVE_LEFT_OVER, number).fetchall())
        self.messages -= cursor.execute(_DROP_LEFT_OVER, number).rowcount
        cursor.execute("DELETE FROM destination WHERE id = ?", number)

    def _pause_destination(self, record: DestinationPaused) -> None:
        self._write()
        self._cursor.execute("UPDATE destination SET paused = ? WHERE id = ?", (record.paused, record.id))

    def _create_subscription(self, record: SubscriptionCreated) -> None:
        self._write()
        self._cursor.execute(
            _ADD_SUBSCRIPTION,
            (
                record.id,
                record.destination,
                record.client_id,
                record.name,
                record.selector,
                record.no_local,
                record.callback,
                record.created,
                record.shared,
                record.pattern,
            ),
        )

    def _delete_subscription(self, record: SubscriptionDeleted) -> None:
        self._write()
        self._delete_mailbox(record.id)

    def _delete_mailbox(self, mailbox: int) -> None:
        for text in (
            "DELETE FROM subscription WHERE id = ?",
            "DELETE FROM mailbox WHERE id = ?",
            "DELETE FROM delivery WHERE mailbox_id = ?",
        ):
            self._cursor.execute(text, (mailbox,))

    def _change_callback(self, record: CallbackChanged) -> None:
        self._write()
        self._cursor.execute(
            "UPDATE subscription SET callback = ? WHERE id = ?", (record.callback, record.subscription)
        )

    def _put_user(self, record: UserPut) -> None:
        self._write()
        self._cursor.execute(_PUT_USER, (record.name, record.salt, record.digest, record.administrator, record.role))

    def _remove_user(self, record: UserRemoved) -> None:
        self._write()
        self._cursor.execute("DELETE FROM account WHERE name = ?", (record.name,))


_APPLY: Final[dict[type, Callable[..., None]]] = {
    MessagesStored: Changes._stored,
    MessagesRemoved: Changes._remove,
    MessagesDropped: Changes._drop_messages,
    MessagesReturned: Changes._return,
    MessagesFailed: Changes._fail,
    MessagesMoved: Changes._move,
    MailboxAdvanced: Changes._advance,
    ProducerAdvanced: Changes._advance_producer,
    ProducersForgotten: Changes._forget_producers,
    DestinationCreated: Changes._create_destination,
    DestinationDeleted: Changes._delete_destination,
    DestinationPaused: Changes._pause_destination,
    SubscriptionCreated: Changes._create_subscription,
    SubscriptionDeleted: Changes._delete_subscription,
    CallbackChanged: Changes._change_callback,
    UserPut: Changes._put_user,
    UserRemoved: Changes._remove_user,
}
