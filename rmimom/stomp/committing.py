"""BEGIN, COMMIT and ABORT.

A transaction is gathered here and goes to the core whole, as one command: all of it is done, or nothing.  ABORT leaves
what was delivered with the client, who may acknowledge it once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from rmimom.commands import Commit
from rmimom.errors import IllegalStateError, JMSError, ResourceAllocationError
from rmimom.stomp import refusing
from rmimom.stomp.codec import Frame
from rmimom.stomp.transaction import Transaction

if TYPE_CHECKING:
    from rmimom.stomp.session import Session


def transaction_of(session: Session, headers: Mapping[str, str]) -> Transaction | None:
    """The transaction that a frame belongs to, if it names one; IllegalStateError if that is not open."""
    name = headers.get("transaction")
    if name is None:
        return None
    found = session.transactions.get(name)
    if found is None:
        raise IllegalStateError(f"Invalid transaction id: {name}", transaction=name)
    return found


def _name(frame: Frame, what: str) -> str:
    name = frame.headers.get("transaction")
    if not name:
        raise IllegalStateError(f"Must specify the transaction you are {what}")
    return name


def begin(session: Session, frame: Frame) -> None:
    """Open a transaction."""
    name = _name(frame, "beginning")
    if name in session.transactions:
        raise IllegalStateError(f"The transaction was already started: {name}", transaction=name)
    if len(session.transactions) >= session.settings.transactions:
        raise ResourceAllocationError(
            f"the limit of {session.settings.transactions} open transactions is reached; commit or abort some first"
        )
    session.transactions[name] = Transaction()
    session.receipt(frame.headers.get("receipt"))


def commit(session: Session, frame: Frame) -> None:
    """Do all that the transaction asked for."""
    name = _name(frame, "committing")
    transaction = transaction_of(session, frame.headers)
    assert transaction is not None
    del session.transactions[name]
    receipt = frame.headers.get("receipt")
    if transaction.is_empty:
        session.receipt(receipt)
        return
    session.unanswered += transaction.size
    session.ask(
        Commit(
            session.connection,
            session.id,
            session.next_commit(),
            list(transaction.sends.items()),
            transaction.acknowledged(),
            [
                release
                for held, requeue in transaction.refused()
                for release in refusing.releases(session.connection, held, requeue=requeue)
            ],
        ),
        partial(_committed, session, transaction, receipt),
    )


def _committed(
    session: Session, transaction: Transaction, receipt: str | None, value: object, error: JMSError | None
) -> None:
    del value
    session.unanswered -= transaction.size
    if error is None:
        session.receipt(receipt)
        return
    transaction.give_back()
    session.refuse(error, receipt or "")


def abort(session: Session, frame: Frame) -> None:
    """Forget all that the transaction asked for."""
    name = _name(frame, "aborting")
    transaction = transaction_of(session, frame.headers)
    assert transaction is not None
    del session.transactions[name]
    transaction.give_back()
    session.receipt(frame.headers.get("receipt"))
