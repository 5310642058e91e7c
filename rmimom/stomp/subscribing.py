"""SUBSCRIBE and UNSUBSCRIBE.

A durable subscription is spelt as ActiveMQ does (`activemq.subscriptionName`, with the connection's `client-id`), or as
RabbitMQ does (`durable:true` and an `id`, shared by all connections that use that id).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from rmimom.commands import CloseConsumer, DeleteSubscription, Subscribe
from rmimom.destination import Queue
from rmimom.errors import IllegalStateError, InvalidDestinationError, JMSError, ResourceAllocationError
from rmimom.selector.conversion import PREFIX as CONVERT
from rmimom.stomp.browsing import Browser
from rmimom.stomp.codec import V1_0, Frame
from rmimom.stomp.settings import MOST_PREFETCH
from rmimom.stomp.subscription import ACK_MODES, AUTO, Subscription

if TYPE_CHECKING:
    from rmimom.stomp.session import Session

DURABLE_NAMES: Final = (
    "activemq.subscriptionName",
    "activemq.subcriptionName",
    "durable-subscription-name",
    "durable-subscriber-name",
)
"""Headers that name a durable subscription; the second is a misspelling that old clients of ActiveMQ use."""
EXCLUSIVE: Final = ("activemq.exclusive", "exclusive")
RANK: Final = ("activemq.priority", "x-priority")
"""Headers for the place of a consumer among others, as ActiveMQ and RabbitMQ spell them."""


def subscribe(session: Session, frame: Frame) -> None:
    """Open a subscription, or a browser."""
    headers = frame.headers
    number = headers.get("id")
    header = headers.get("destination")
    if not header:
        raise InvalidDestinationError("Invalid empty or 'null' Destination header")
    if number is None and session.version != V1_0:
        raise IllegalStateError("SUBSCRIBE received without a subscription id!")
    key = number if number is not None else header
    if key in session.subscriptions or key in session.browsers:
        raise IllegalStateError(f"there is a subscription with the id {key!r} already; unsubscribe it first")
    if len(session.subscriptions) >= session.settings.subscriptions:
        raise ResourceAllocationError(
            f"the limit of {session.settings.subscriptions} subscriptions is reached; unsubscribe some first"
        )
    ack = headers.get("ack", AUTO) or AUTO
    if ack not in ACK_MODES:
        raise IllegalStateError(f"ack is {ack!r}, but must be one of {', '.join(ACK_MODES)}")
    destinations = session.names.sources(header)
    selector = _selector(headers)
    if headers.get("browser") == "true":
        _browse(session, frame, key)
        return
    durable, shared = _durable(session, frame)
    subscription = Subscription(key, number, destinations, ack, session.version)
    subscription.durable = durable
    subscription.transformation = headers.get("transformation", "")
    prefetch = _prefetch(session, frame)
    rank = _rank(headers)
    exclusive = any(headers.get(one) == "true" for one in EXCLUSIVE)
    session.subscriptions[key] = subscription
    session.make_temporary(destinations)
    subscription.unanswered = len(destinations)
    for destination in destinations:
        consumer = session.next_consumer()
        subscription.consumers[consumer] = destination
        session.consumers[consumer] = subscription
        session.ask(
            Subscribe(
                session.connection,
                consumer,
                destination,
                durable=durable,
                selector=selector,
                no_local=headers.get("activemq.noLocal") == "true" and not shared,
                prefetch=prefetch,
                prefetch_bytes=session.settings.prefetch_bytes,
                shared=shared,
                priority=rank,
                exclusive=exclusive,
                retroactive=headers.get("activemq.retroactive") == "true",
            ),
            partial(_subscribed, session, subscription, headers.get("receipt")),
        )


def _browse(session: Session, frame: Frame, key: str) -> None:
    headers = frame.headers
    [queue, *others] = session.names.sources(headers["destination"])
    if others or not isinstance(queue, Queue):
        raise InvalidDestinationError("a browser looks at one queue")
    if headers.get("ack", AUTO) != AUTO:
        raise IllegalStateError("a browser takes nothing, so its ack is auto")
    browser = Browser(key, queue, _selector(headers), headers.get("receipt"))
    session.browsers[key] = browser
    browser.go_on(session)


def _selector(headers: Mapping[str, str]) -> str:
    """The selector; headers are strings, but the selector may want numbers."""
    text = headers.get("selector", "").strip()
    return text if not text or text.startswith(CONVERT) else CONVERT + text


def _durable(session: Session, frame: Frame) -> tuple[str, bool]:
    """The name of a durable subscription, empty for none, and whether several connections share it."""
    headers = frame.headers
    name = next((headers[one] for one in DURABLE_NAMES if headers.get(one)), "")
    if name:
        if not session.client_id:
            raise IllegalStateError("a durable subscription needs a client-id; give one with CONNECT")
        return name, False
    if _is_rabbit_durable(frame):
        topics = session.names.sources(headers["destination"])
        if all(isinstance(one, Queue) for one in topics):
            return "", False  # there `durable` speaks of the queue, and queues are durable
        if "id" not in headers:
            raise IllegalStateError("a durable subscription needs an id")
        return headers["id"], True
    return "", False


def _is_rabbit_durable(frame: Frame) -> bool:
    return "true" in {frame.headers.get("durable"), frame.headers.get("persistent")}


def _prefetch(session: Session, frame: Frame) -> int:
    text = frame.headers.get("activemq.prefetchSize", frame.headers.get("prefetch-count"))
    if text is None:
        return session.settings.prefetch
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        raise IllegalStateError(f"the prefetch is {text[:80]!r}, but must be a number of messages")
    # 0 means no limit to RabbitMQ and asking for each message to ActiveMQ, for which STOMP has no frame.
    return min(int(digits[:9]), MOST_PREFETCH) or session.settings.prefetch


def _rank(headers: Mapping[str, str]) -> int:
    """The priority of the consumer."""
    text = next((headers[one] for one in RANK if one in headers), "0").strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise IllegalStateError(f"the priority of a consumer is {text[:80]!r}, but must be a whole number")
    return int(text[:20])


def _subscribed(
    session: Session, subscription: Subscription, receipt: str | None, value: object, error: JMSError | None
) -> None:
    del value
    if session.subscriptions.get(subscription.key) is not subscription:
        return
    if error is not None:
        for consumer in forget(session, subscription):
            session.ask(CloseConsumer(session.connection, consumer))
        session.refuse(error, receipt or "")
        return
    subscription.unanswered -= 1
    if not subscription.unanswered:
        session.receipt(receipt)
        session.open(subscription)


def forget(session: Session, subscription: Subscription) -> Iterable[int]:
    """Take the subscription from the session; returns its consumers."""
    session.subscriptions.pop(subscription.key, None)
    for consumer in subscription.consumers:
        session.consumers.pop(consumer, None)
    return subscription.consumers


def unsubscribe(session: Session, frame: Frame) -> None:
    """Close a subscription; one that is durable stays unless its name is given."""
    headers = frame.headers
    receipt = headers.get("receipt")
    number = headers.get("id")
    name = next((headers[one] for one in DURABLE_NAMES if headers.get(one)), "")
    if not name and number is not None and _is_rabbit_durable(frame):
        name = number
    if number is None and not name and (session.version != V1_0 or not headers.get("destination")):
        raise IllegalStateError("UNSUBSCRIBE received without a subscription id!")
    key = number if number is not None else headers.get("destination", "")
    if session.browsers.pop(key, None) is not None:
        session.receipt(receipt)
        return
    subscription = session.subscriptions.get(key)
    if subscription is None and name:
        subscription = next((one for one in session.subscriptions.values() if one.durable == name), None)
    if subscription is None and not name:
        raise IllegalStateError("No subscription matched.")
    commands: list[CloseConsumer | DeleteSubscription] = []
    if subscription is not None:
        commands += [CloseConsumer(session.connection, consumer) for consumer in forget(session, subscription)]
    if name:
        commands.append(DeleteSubscription(session.connection, name))
    *first, last = commands
    for command in first:
        session.ask(command)
    session.ask(last, session.receipt_or_error(receipt))
