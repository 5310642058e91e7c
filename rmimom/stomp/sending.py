"""SEND."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rmimom.commands import Commit
from rmimom.destination import Destination
from rmimom.errors import InvalidDestinationError, MessageTooLargeError, ResourceAllocationError
from rmimom.stomp import committing
from rmimom.stomp.codec import Frame
from rmimom.stomp.mapping import frame_of

if TYPE_CHECKING:
    from rmimom.stomp.session import Session


def send(session: Session, frame: Frame) -> None:
    """Send a message to its destinations, at once or with a transaction."""
    headers = frame.headers
    name = headers.get("destination")
    if not name:
        raise InvalidDestinationError("SEND received without a Destination specified!")
    targets = session.names.targets(name)
    session.make_temporary(targets)
    transaction = committing.transaction_of(session, headers)
    reply_to = _reply_to(session, headers)
    made = [(target, _message(session, frame, target, reply_to)) for target in targets]
    receipt = headers.get("receipt")
    if transaction is not None:
        if sum(one.size for one in session.transactions.values()) > session.settings.transaction_bytes:
            raise ResourceAllocationError(
                f"the open transactions hold more than {session.settings.transaction_bytes} bytes; commit more often"
            )
        for target, message in made:
            transaction.add(target, message)
        session.receipt(receipt)
    elif len(made) == 1:
        session.gather_send(*made[0], receipt)
    else:
        # All of the destinations or none.
        session.flush()
        sends = [(target, [message]) for target, message in made]
        command = Commit(session.connection, session.id, session.next_commit(), sends, [])
        session.ask(command, session.receipt_or_error(receipt))


def _reply_to(session: Session, headers: Mapping[str, str]) -> str | None:
    """Where an answer is wanted, if that is one destination of ours; other texts travel as a property."""
    text = headers.get("reply-to")
    if text is None:
        return None
    try:
        [found] = session.names.targets(text)
    except (InvalidDestinationError, ValueError):
        return None
    session.make_temporary([found])
    return str(found)


def _message(session: Session, frame: Frame, target: Destination, reply_to: str | None) -> bytes:
    made = frame_of(
        frame,
        target,
        reply_to,
        message_id=session.next_message_id(),
        now=session.clock.now(),
        persistent_default=session.settings.persistent_default,
        user=session.user if session.settings.user_id else "",
    )
    if len(made) > session.settings.max_message_size:
        limit = session.settings.max_message_size
        raise MessageTooLargeError(
            f"a message of {len(made)} bytes is over the limit of {limit} bytes; "
            "send less, or raise max_message_size on the server",
            size=len(made),
            limit=limit,
        )
    return made
