"""What a transacted session keeps until it commits (Jakarta Messaging 3.1 §6.2.7).

No threads and no sockets here.  The life of a transaction:

    gathering ─► under way ─► committed
        │  ▲         │
        │  └ refused ┴► rolled back
        └─────────────────────┘

Rule 1: a transaction travels whole, in one call, and the server does all of it or nothing.
Rule 2: what is under way does not change until its outcome is known, however often it is asked for: the server knows a
        repetition by the number of the transaction, and passes over it.
Rule 3: the number rises with each transaction that ends, so a late commit can never be taken for a later transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from rmimom.client.receipt import Receipt
from rmimom.errors import ResourceAllocationError, TransactionInProgressError
from rmimom.frame import AckBatch, CommitRequest

if TYPE_CHECKING:
    from rmimom.client.exchange import Exchange

_ENTRY_SIZE = 9
"""Bytes that a tag, or the beginning of a frame or a list, takes at most."""


class CommitReceipt(Receipt):
    """The fate of the messages of one transaction, known when the session has committed or rolled back."""

    __slots__ = ("_is_under_way",)

    def __init__(self, exchange: Exchange, is_under_way: Callable[[], bool]) -> None:
        super().__init__(exchange)
        self._is_under_way = is_under_way

    def _check_asked(self) -> None:
        """Raise TransactionInProgressError if nobody has asked for a commit."""
        if not self._is_under_way():
            raise TransactionInProgressError(
                "the message is sent when its session commits; call session.commit() first"
            )


class Transaction:
    """The transactions of one session, one after the other; this is the one that goes on."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._name = secrets.token_hex(8)
        self._number = 1
        self._sends: dict[str, list[msgspec.Raw]] = {}
        self._size = 0
        self.request: CommitRequest | None = None
        """What is under way, or has an unknown outcome."""
        self.receipt = self._new_receipt()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was sent in it yet."""
        return not self._sends

    def add(self, destination: str, frame: bytes, limit: int) -> Receipt:
        """Keep a message until the commit.

        Raises ResourceAllocationError if the transaction would have more than `limit` bytes, and
        TransactionInProgressError while the outcome of a commit is unknown.
        """
        if self.request is not None:
            raise TransactionInProgressError(
                "the outcome of the last commit is unknown; call session.commit() again, or session.rollback()"
            )
        size = len(frame) + _ENTRY_SIZE
        if destination not in self._sends:
            size += len(destination.encode()) + 2 * _ENTRY_SIZE
        self._check_size(self._size + size, limit)
        self._size += size
        self._sends.setdefault(destination, []).append(msgspec.Raw(frame))
        return self.receipt

    def begin(self, acks: list[AckBatch], limit: int) -> CommitRequest:
        """Put the transaction under way, with these acknowledgements; raises ResourceAllocationError as `add` does."""
        size = self._size + sum((len(batch.tags) + 4) * _ENTRY_SIZE for batch in acks)
        if size > self._size:
            self._check_size(size, limit)
        self.request = CommitRequest(self._name, self._number, list(self._sends.items()), acks)
        return self.request

    def refused(self) -> None:
        """The server did nothing of it and said why; the transaction goes on."""
        self.request = None

    def end(self) -> Receipt:
        """Begin the next transaction; returns the receipt of the last, for the caller to settle."""
        ended = self.receipt
        self._number += 1
        self._sends = {}
        self._size = 0
        self.request = None
        self.receipt = self._new_receipt()
        return ended

    def _new_receipt(self) -> Receipt:
        number = self._number
        return CommitReceipt(self._exchange, lambda: self.request is not None and self._number == number)

    def _check_size(self, size: int, limit: int) -> None:
        if size > limit:
            raise ResourceAllocationError(
                f"the transaction would have {size} bytes, but it travels as one message and the server takes at most "
                f"{limit} (max_message_size); commit more often",
                size=size,
                limit=limit,
            )
