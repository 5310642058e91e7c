"""ACK and NACK.

1.0 names the message, 1.1 the message and its subscription, 1.2 the `ack` header of the MESSAGE.  In mode `client` both
mean the message and all that the subscription was given before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmimom.errors import IllegalStateError
from rmimom.stomp import refusing
from rmimom.stomp.codec import V1_0, V1_2, Frame
from rmimom.stomp.committing import transaction_of
from rmimom.stomp.subscription import CLIENT, Held, Subscription

if TYPE_CHECKING:
    from rmimom.stomp.session import Session


def ack(session: Session, frame: Frame) -> None:
    """The client is done with a message."""
    transaction = transaction_of(session, frame.headers)
    subscription, held = _take(session, frame)
    receipt = frame.headers.get("receipt")
    if transaction is not None:
        transaction.acks.append((subscription, held))
        session.receipt(receipt)
        return
    last = len(held) - 1
    for index, one in enumerate(held):
        session.gather_acks(one.consumer, [one.tag], receipt if index == last else None)


def nack(session: Session, frame: Frame) -> None:
    """The client cannot do with a message."""
    if session.version == V1_0:
        raise IllegalStateError("NACK is not part of STOMP 1.0; connect with accept-version:1.1,1.2")
    transaction = transaction_of(session, frame.headers)
    subscription, held = _take(session, frame)
    receipt = frame.headers.get("receipt")
    wish = frame.headers.get("requeue")
    requeue = session.settings.requeue if wish is None else wish.lower() == "true"
    if transaction is not None:
        transaction.nacks.append((subscription, held, requeue))
        session.receipt(receipt)
        return
    refusing.refuse(session, held, receipt, requeue=requeue)


def _take(session: Session, frame: Frame) -> tuple[Subscription, list[Held]]:
    """What the frame speaks of; IllegalStateError if the client does not hold it."""
    subscription, key = _find_by_ack(session, frame) if session.version == V1_2 else _find_by_message_id(session, frame)
    return subscription, subscription.take(key, up_to=subscription.ack == CLIENT)


def _find_by_ack(session: Session, frame: Frame) -> tuple[Subscription, str]:
    number = frame.headers.get("id")
    if number is None:
        raise IllegalStateError(f"{frame.command} received without an id: give the ack header of the MESSAGE")
    consumer = number.partition("-")[0]
    if consumer.isdecimal() and len(consumer) < 20:
        subscription = session.consumers.get(int(consumer))
        if subscription is not None and number in subscription.held:
            return subscription, number
    raise IllegalStateError(f"Unexpected {frame.command} received for message-id [{number[:80]}]: nothing is held so")


def _find_by_message_id(session: Session, frame: Frame) -> tuple[Subscription, str]:
    message_id = frame.headers.get("message-id")
    if message_id is None:
        raise IllegalStateError(f"{frame.command} received without a message-id to acknowledge!")
    wanted = frame.headers.get("subscription")
    if wanted is not None:
        found = session.subscriptions.get(wanted)
        candidates = [found] if found is not None else []
    elif session.version == V1_0:
        candidates = list(session.subscriptions.values())
    else:
        raise IllegalStateError(f"{frame.command} received without a subscription id for acknowledge!")
    for subscription in candidates:
        key = subscription.find(message_id)
        if key is not None:
            return subscription, key
    raise IllegalStateError(f"Unexpected {frame.command} received for message-id [{message_id[:80]}]")
