"""A unit of work: what a transacted session received and sends since its last commit or rollback (§6.2.7).

The sends are in a `Transaction`; what was received stays with the intakes of the consumers until the transaction ends,
also of those closed meanwhile (`lingering.py`).

Rule: a transaction belongs to one reign of one server.  If that is lost before `commit` is called, it is rolled back,
      and `commit` says so; from the call on, its outcome is found out.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rmimom.client.inbox import Intake
from rmimom.client.transaction import Transaction
from rmimom.errors import JMSError, TransactionRolledBackError
from rmimom.frame import AckBatch, CommitRequest

if TYPE_CHECKING:
    from rmimom.client.session import Session

log = logging.getLogger("rmimom.client")


class UnitOfWork:
    """The transactions of one session with what it received; commits them and rolls them back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._connection = session._connection
        self._lock = session._lock
        self.transaction = Transaction(session._connection._exchange)
        self._under_way: list[tuple[Intake, list[int]]] = []  # messages that the last commit acknowledged
        self._lost_with: str | None = None  # the server that the open transaction was lost with

    def commit(self) -> None:
        """Carry out `Session.commit`."""
        try:
            self._commit()
        except TransactionRolledBackError as error:
            self._roll_back(error)
            raise

    def _commit(self) -> None:
        transaction = self.transaction
        exchange = self._connection._exchange
        with self._lock:
            request = transaction.request or self._begin()
        committed = transaction.receipt
        if request.sends or request.acks:
            refusal = exchange.commit(request, lambda: committed.settle(None))
            if refusal is not None:
                transaction.refused()
                raise refusal
        with self._lock:
            for intake, tags in self._under_way:
                intake.committed(tags)
        transaction.end()
        exchange.settle(committed, None)
        self._session._lingering.end()

    def _begin(self) -> CommitRequest:
        """Put the transaction under way; the lock is held."""
        if self._lost_with is not None:
            raise TransactionRolledBackError(
                f"the server at {self._lost_with} was lost before the commit, and the transaction was rolled back; "
                "do its work again and commit",
                server=self._lost_with,
            )
        told = [(intake.number, intake.to_commit()) for intake in self._received()]
        # What acknowledges nothing at the server is done with as well: see Intake.adopt.
        self._under_way = [(intake, list(intake.working)) for intake in self._received()]
        acks = [AckBatch(number, 0, tags) for number, tags in told if tags]
        return self.transaction.begin(acks, self._connection._welcome.max_message_size)

    def lose(self, server: str) -> bool:
        """The server there is lost, and with it the transaction, if it is open: whether it is.  The lock is held."""
        is_open = not self.transaction.is_empty or any(intake.working for intake in self._received())
        if is_open and self.transaction.request is None:
            self._lost_with = server
            return True
        return False

    def rollback(self) -> None:
        """Carry out `Session.rollback`."""
        if self.transaction.request is not None:
            self._give_back_under_way()
        with self._lock:
            received = [one for one in self._session._lingering.givers() if one._intake.error is None]
            failed = [(one, list(one._intake.working)) for one in received]
        for consumer, tags in failed:
            if tags:
                self._session._fail(consumer, tags, "rolled back by the session")
        self._roll_back(_rolled_back())

    def close(self) -> None:
        """End it with the session, rolled back unless a commit has an unknown outcome."""
        if self.transaction.request is None:
            self._connection._exchange.settle(self.transaction.end(), _rolled_back())

    def _received(self) -> list[Intake]:
        """What the consumers of the transaction hold; the lock is held."""
        return [consumer._intake for consumer in self._session._lingering.givers()]

    def _roll_back(self, error: JMSError) -> None:
        with self._lock:
            self._lost_with = None
            for consumer in self._session._consumers:
                intake = consumer._intake
                if intake.error is None:
                    intake.recover()
                else:
                    # The server closed this consumer: what it had is with others.
                    intake.hand_back(list(intake.working))
            self._session._arrived.notify_all()
        self._connection._exchange.settle(self.transaction.end(), error)
        self._session._lingering.end()

    def _give_back_under_way(self) -> None:
        """The server shall say what becomes of messages whose commit has an unknown outcome: it knows it."""
        with self._lock:
            back = [(intake.number, intake.hand_back(tags)) for intake, tags in self._under_way]
        for number, tags in back:
            if tags:
                try:
                    self._connection._exchange.call("release", number, tags)
                except JMSError as error:
                    # Lost meanwhile: the server gets to hear that we do not hold them when we come back.
                    log.info("giving back messages of a commit with an unknown outcome: %s", error)


def _rolled_back() -> JMSError:
    return TransactionRolledBackError("the session was rolled back or closed before it committed; nothing was sent")
