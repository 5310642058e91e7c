"""A unit of work: what a transacted session received and sends since its last commit or rollback (§6.2.7).

The sends are in a `Transaction`; what was received stays with the intakes of the consumers, also of those closed
meanwhile, until the transaction ends: they *linger*.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rmimom.client.inbox import Intake
from rmimom.client.transaction import Transaction
from rmimom.errors import JMSError, TransactionRolledBackError
from rmimom.frame import AckBatch

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer
    from rmimom.client.session import Session

log = logging.getLogger("rmimom.client")


class UnitOfWork:
    """The transactions of one session with what it received; commits them and rolls them back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._connection = session._connection
        self._lock = session._lock
        self.transaction = Transaction(session._connection._exchange)
        self._lingering: list[Consumer] = []  # closed, but what they received belongs to the transaction
        self._under_way: list[tuple[Intake, list[int]]] = []  # messages that the last commit acknowledged

    def commit(self) -> None:
        """Carry out `Session.commit`."""
        transaction = self.transaction
        exchange = self._connection._exchange
        request = transaction.request
        if request is None:
            with self._lock:
                told = [(intake.number, intake.to_commit()) for intake in self._received()]
                # What acknowledges nothing at the server is done with as well: see Intake.adopt.
                self._under_way = [(intake, list(intake.working)) for intake in self._received()]
            acks = [AckBatch(number, 0, tags) for number, tags in told if tags]
            request = transaction.begin(acks, self._connection._welcome.max_message_size)
        committed = transaction.receipt
        if request.sends or request.acks:
            refusal = exchange.commit(request, lambda: committed.settle(None))
            if isinstance(refusal, TransactionRolledBackError):
                self._roll_back(refusal)
                raise refusal
            if refusal is not None:
                transaction.refused()
                raise refusal
        with self._lock:
            for intake, tags in self._under_way:
                intake.committed(tags)
        transaction.end()
        exchange.settle(committed, None)
        self._end_lingering()

    def rollback(self) -> None:
        """Carry out `Session.rollback`."""
        if self.transaction.request is not None:
            self._give_back_under_way()
        with self._lock:
            received = [one for one in (*self._session._consumers, *self._lingering) if one._intake.error is None]
            failed = [(one, list(one._intake.working), one not in self._lingering) for one in received]
        for consumer, tags, keep in failed:
            if tags:
                self._session._fail(consumer, tags, "rolled back by the session", keep=keep)
        self._roll_back(_rolled_back())

    def keep_closed(self, consumer: Consumer) -> bool:
        """Whether a closed consumer stays open at the server, because a transaction has messages of it (§8.8)."""
        with self._lock:
            if self._session._closed or not consumer._intake.working:
                return False
            self._session._consumers.remove(consumer)
            self._lingering.append(consumer)
            return True

    def close(self) -> None:
        """End it with the session, rolled back unless a commit has an unknown outcome."""
        self._end_lingering()
        if self.transaction.request is None:
            self._connection._exchange.settle(self.transaction.end(), _rolled_back())

    def _received(self) -> list[Intake]:
        """What the consumers of the transaction hold; the lock is held."""
        return [consumer._intake for consumer in [*self._session._consumers, *self._lingering]]

    def _roll_back(self, error: JMSError) -> None:
        with self._lock:
            for consumer in self._session._consumers:
                intake = consumer._intake
                if intake.error is None:
                    intake.recover()
                else:
                    # The server closed this consumer: what it had is with others.
                    intake.hand_back(list(intake.working))
            self._session._arrived.notify_all()
        self._connection._exchange.settle(self.transaction.end(), error)
        self._end_lingering()

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

    def _end_lingering(self) -> None:
        with self._lock:
            ended, self._lingering = self._lingering, []
        for consumer in ended:
            self._connection._close_consumer(consumer)


def _rolled_back() -> JMSError:
    return TransactionRolledBackError("the session was rolled back or closed before it committed; nothing was sent")
