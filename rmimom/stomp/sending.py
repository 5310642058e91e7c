"""SEND."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmimom.commands import Commit
from rmimom.destination import Destination
from rmimom.errors import InvalidDestinationError, MessageFormatError, MessageTooLargeError, ResourceAllocationError
from rmimom.stomp import committing
from rmimom.stomp.codec import Frame
from rmimom.stomp.destinations import TEMPORARY
from rmimom.stomp.mapping import SCHEDULES, frame_of

if TYPE_CHECKING:
    from rmimom.stomp.session import Session


def send(session: Session, frame: Frame) -> None:
    """Send a message to its destinations, at once or with a transaction."""
    headers = frame.headers
    name = headers.get("destination")
    if not name:
        raise InvalidDestinationError("SEND received without a Destination specified!")
    for schedule in SCHEDULES:
        if schedule in headers:
            raise MessageFormatError(f"{schedule} is not served; AMQ_SCHEDULED_DELAY delays a message once")
    targets = session.names.targets(name)
    transaction = committing.transaction_of(session, headers)
    made = [(target, _message(session, frame, target)) for target in targets]
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


def _message(session: Session, frame: Frame, target: Destination) -> bytes:
    if target.name.startswith(TEMPORARY):
        if session.names.is_own(target):
            session.temporaries.add(target)
        elif not session.exists(target):
            raise InvalidDestinationError(
                f"{session.names.show(str(target))} does not exist any more; its connection is gone",
                destination=str(target),
            )
    made = frame_of(
        frame,
        target,
        session.names,
        message_id=session.next_message_id(),
        now=session.clock.now(),
        persistent_default=session.settings.persistent_default,
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
