"""The state of a SqliteStore, read row by row as recovery asks for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from rmimom.records import DestinationCreated, ProducerAdvanced, SubscriptionCreated, UserPut
from rmimom.snapshot import DeliveryRow, MessageRow, Position
from rmimom.store.rows import read_rows


class SqliteSnapshot:
    """See `rmimom.snapshot.Snapshot`; every method raises StoreDamagedError for what cannot be read."""

    def __init__(self, connection: sqlite3.Connection, database: Path, position: Position) -> None:
        self.position = position
        self._connection = connection
        self._database = database

    def destinations(self) -> Iterator[DestinationCreated]:
        """By id."""
        return read_rows(
            self._connection,
            self._database,
            list[DestinationCreated],
            "SELECT 'DestinationCreated', id, kind, name, created, paused FROM destination ORDER BY id",
        )

    def subscriptions(self) -> Iterator[SubscriptionCreated]:
        """By id."""
        return read_rows(
            self._connection,
            self._database,
            list[SubscriptionCreated],
            "SELECT 'SubscriptionCreated', id, destination_id, client_id, name, selector, no_local, callback, created,"
            " shared, pattern"
            " FROM subscription ORDER BY id",
        )

    def producers(self) -> Iterator[ProducerAdvanced]:
        """By name."""
        return read_rows(
            self._connection,
            self._database,
            list[ProducerAdvanced],
            "SELECT 'ProducerAdvanced', name, sequence, at FROM producer ORDER BY name",
        )

    def users(self) -> Iterator[UserPut]:
        """By name."""
        return read_rows(
            self._connection,
            self._database,
            list[UserPut],
            "SELECT 'UserPut', name, salt, digest, administrator, role FROM account ORDER BY name",
        )

    def delivered_up_to(self) -> Mapping[int, int]:
        """By mailbox; absent means 0."""
        return dict(
            read_rows(
                self._connection, self._database, list[tuple[int, int]], "SELECT id, delivered_up_to FROM mailbox"
            )
        )

    def messages(self) -> Iterator[MessageRow]:
        """By id."""
        return read_rows(
            self._connection,
            self._database,
            list[MessageRow],
            "SELECT id, destination_id, priority, expiration, delivery_time, length, wishes FROM message ORDER BY id",
        )

    def deliveries(self) -> Iterator[DeliveryRow]:
        """By mailbox, then by message."""
        return read_rows(
            self._connection,
            self._database,
            list[DeliveryRow],
            "SELECT mailbox_id, message_id, count, failures, note, due FROM delivery"
            " WHERE EXISTS (SELECT 1 FROM message WHERE message.id = delivery.message_id)"
            " ORDER BY mailbox_id, message_id",
        )
