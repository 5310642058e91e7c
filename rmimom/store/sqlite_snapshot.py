"""The state of a SqliteStore, read row by row as recovery asks for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rmimom.records import DestinationCreated, ProducerAdvanced, SubscriptionCreated, UserPut
from rmimom.snapshot import DeliveryRow, MessageRow, Position
from rmimom.store.trouble import damaged, explain

_T = TypeVar("_T")
# Rows come by the hundred thousand: this makes the named tuple without going through Python code for each.
_message_row = partial(tuple.__new__, MessageRow)
_delivery_row = partial(tuple.__new__, DeliveryRow)


class SqliteSnapshot:
    """See `rmimom.snapshot.Snapshot`; every method raises StoreDamagedError for what cannot be read."""

    def __init__(self, connection: sqlite3.Connection, database: Path, position: Position) -> None:
        self.position = position
        self._connection = connection
        self._database = database

    def destinations(self) -> Iterator[DestinationCreated]:
        """By id."""
        return self._records(DestinationCreated, "SELECT id, kind, name, created FROM destination ORDER BY id")

    def subscriptions(self) -> Iterator[SubscriptionCreated]:
        """By id."""
        return self._records(
            SubscriptionCreated,
            "SELECT id, destination_id, client_id, name, selector, no_local, callback, created"
            " FROM subscription ORDER BY id",
        )

    def producers(self) -> Iterator[ProducerAdvanced]:
        """By name."""
        return self._records(ProducerAdvanced, "SELECT name, sequence, at FROM producer ORDER BY name")

    def users(self) -> Iterator[UserPut]:
        """By name."""
        return self._records(UserPut, "SELECT name, salt, digest, administrator FROM user ORDER BY name")

    def delivered_up_to(self) -> Mapping[int, int]:
        """By mailbox; absent means 0."""
        return dict(self._rows("SELECT id, delivered_up_to FROM mailbox"))

    def messages(self) -> Iterator[MessageRow]:
        """By id."""
        return map(
            _message_row,
            self._rows(
                "SELECT id, destination_id, priority, expiration, delivery_time, length FROM message ORDER BY id"
            ),
        )

    def deliveries(self) -> Iterator[DeliveryRow]:
        """By mailbox, then by message."""
        return map(
            _delivery_row,
            self._rows(
                "SELECT mailbox_id, message_id, count FROM delivery"
                " WHERE EXISTS (SELECT 1 FROM message WHERE message.id = delivery.message_id)"
                " ORDER BY mailbox_id, message_id"
            ),
        )

    def _rows(self, text: str) -> Iterator[Any]:
        try:
            yield from self._connection.execute(text)
        except sqlite3.Error as error:
            raise explain(error, self._database) from error

    def _records(self, kind: type[_T], text: str) -> Iterator[_T]:
        tag = kind.__name__
        for row in self._rows(text):
            try:
                # Checks the types, and makes True of 1.
                yield msgspec.convert((tag, *row), kind, strict=False)
            except msgspec.ValidationError as error:
                raise damaged(self._database, f"a row of {tag} holds {row!r}: {error}") from None
