"""Consuming: consumers and subscriptions come and go, messages are acknowledged."""

from __future__ import annotations

from collections.abc import Iterable

from rmimom.commands import Acknowledge, CloseConsumer, DeleteSubscription, Examined, Release, Subscribe
from rmimom.core.consumer import Consumer
from rmimom.core.limits import MAX_URI_LENGTH, check_number, check_text
from rmimom.core.mailbox import Mailbox
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.state import Client, OpenConsumer, State
from rmimom.core.subscription import Subscription
from rmimom.core.turn import Turn
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.records import CallbackChanged, SubscriptionCreated, SubscriptionDeleted
from rmimom.selector import Selector, parse_selector


def subscribe(state: State, command: Subscribe, turn: Turn) -> list[int]:
    """Open a consumer; returns the tags in `held` that belong to others now."""
    client = state.client(command.connection)
    if command.consumer in client.consumers:
        raise IllegalStateError(
            f"consumer {command.consumer} of this connection is open already; choose another number",
            consumer=command.consumer,
        )
    check_number(command.consumer, "the number of the consumer", IllegalStateError)
    if command.prefetch < 1 or command.prefetch_bytes < 1:
        raise IllegalStateError(
            f"prefetch is {command.prefetch} messages and {command.prefetch_bytes} bytes; both must be at least 1"
        )
    selector = parse_selector(command.selector)
    place = state.find_or_create(command.destination, command.connection, turn)
    subscription: Subscription | None = None
    mailbox: Mailbox
    if isinstance(place, QueuePlace):
        if command.durable:
            raise InvalidDestinationError(
                f"a durable subscription needs a topic, but {command.destination} is a queue; "
                "messages in a queue wait for their consumers anyway",
                destination=str(command.destination),
            )
        mailbox = place.mailbox
    else:
        subscription = _subscription(state, client, place, command, selector, turn)
        # The topic sends the subscription only what its selector takes.
        selector = None
        subscription.connection = command.connection
        mailbox = subscription.mailbox
    consumer = Consumer(command.connection, command.consumer, command.prefetch, command.prefetch_bytes, selector)
    client.consumers[command.consumer] = OpenConsumer(consumer, mailbox, place, subscription)
    return mailbox.open(consumer, command.settled, command.held, turn)


def _subscription(
    state: State, client: Client, topic: TopicPlace, command: Subscribe, selector: Selector | None, turn: Turn
) -> Subscription:
    """The subscription that the command speaks of, found, made or made anew."""
    if not command.durable:
        number = state.take_id()
        subscription = Subscription(
            number,
            topic.id,
            state.mailbox(number, durable=False),
            selector=selector,
            no_local=command.no_local,
            created=turn.now,
        )
        topic.subscriptions[number] = subscription
        return subscription
    if not client.owner:
        raise IllegalStateError(
            "a durable subscription belongs to a client id or a user; give one when you create the connection",
            subscription=command.durable,
        )
    check_text(command.durable, "the name of the subscription", InvalidDestinationError)
    check_text(command.callback, "the URI of the callback object", InvalidDestinationError, MAX_URI_LENGTH)
    key = (client.owner, command.durable)
    found = state.subscriptions.get(key)
    if found is not None:
        if found.active:
            raise IllegalStateError(
                f"the durable subscription {command.durable!r} of {client.owner!r} has a consumer already; "
                "close that one first, or subscribe under another name",
                subscription=command.durable,
                client_id=client.owner,
            )
        if found.topic == topic.id and found.no_local == command.no_local and found.selector is selector:
            if found.callback != command.callback:
                found.callback = command.callback
                turn.records.append(CallbackChanged(found.id, command.callback))
            return found
        # Another topic or selector under the same name replaces the subscription, as if it was deleted first (§8.3.3).
        _delete(state, found, turn)
    number = state.take_id()
    subscription = Subscription(
        number,
        topic.id,
        state.mailbox(number, durable=True),
        owner=client.owner,
        name=command.durable,
        selector=selector,
        no_local=command.no_local,
        callback=command.callback,
        created=turn.now,
    )
    topic.subscriptions[number] = subscription
    state.subscriptions[key] = subscription
    turn.records.append(
        SubscriptionCreated(
            number,
            topic.id,
            client.owner,
            command.durable,
            command.selector if selector else "",
            command.no_local,
            command.callback,
            turn.now,
        )
    )
    return subscription


def _delete(state: State, subscription: Subscription, turn: Turn) -> None:
    subscription.mailbox.purge(turn)
    topic = state.places_by_id[subscription.topic]
    assert isinstance(topic, TopicPlace)
    topic.remove(subscription)
    if subscription.durable:
        del state.subscriptions[subscription.owner, subscription.name]
        turn.records.append(SubscriptionDeleted(subscription.id))


def close_consumer(state: State, command: CloseConsumer, turn: Turn) -> None:
    """Close a consumer; harmless if it is closed already."""
    client = state.client(command.connection)
    opened = client.consumers.pop(command.consumer, None)
    if opened is not None:
        close_opened(state, [opened], turn)


def close_opened(state: State, leaving: Iterable[OpenConsumer], turn: Turn) -> None:
    """Let consumers go together; subscriptions that are not durable go with them."""
    by_mailbox: dict[int, list[OpenConsumer]] = {}
    for opened in leaving:
        by_mailbox.setdefault(opened.mailbox.id, []).append(opened)
    for together in by_mailbox.values():
        together[0].mailbox.close([opened.consumer for opened in together], turn)
        subscription = together[0].subscription
        if subscription is not None:
            subscription.connection = ""
            if not subscription.durable:
                _delete(state, subscription, turn)


def delete_subscription(state: State, command: DeleteSubscription, turn: Turn) -> None:
    """Delete a durable subscription of the caller (§8.3.3)."""
    client = state.client(command.connection)
    found = state.subscriptions.get((client.owner, command.name))
    if found is None:
        raise InvalidDestinationError(
            f"{client.owner!r} has no durable subscription named {command.name!r}",
            subscription=command.name,
            client_id=client.owner,
        )
    if found.active:
        raise IllegalStateError(
            f"the durable subscription {command.name!r} has an active consumer; close that first",
            subscription=command.name,
        )
    _delete(state, found, turn)


def acknowledge(state: State, command: Acknowledge, turn: Turn) -> None:
    """The consumer is done with messages; a consumer closed meanwhile gave them back, so there is nothing to do."""
    opened = state.client(command.connection).consumers.get(command.consumer)
    if opened is not None:
        state.messages_out += opened.mailbox.acknowledge(opened.consumer, command.up_to, command.tags, turn)


def examined(state: State, command: Examined, turn: Turn) -> None:
    """Frames were read from the store: the selector takes these, unless the queue is gone meanwhile."""
    place = state.places_by_id.get(command.mailbox)
    if isinstance(place, QueuePlace):
        place.mailbox.examined(Selector(command.selector), command.ids, turn)


def release(state: State, command: Release, turn: Turn) -> None:
    """The consumer gives messages back."""
    opened = state.client(command.connection).consumers.get(command.consumer)
    if opened is not None:
        opened.mailbox.release(opened.consumer, command.tags, turn)


def delete_place(state: State, place: Place, turn: Turn) -> None:
    """Remove a destination without consumers, with everything that waits there."""
    if isinstance(place, TopicPlace):
        for subscription in list(place.subscriptions.values()):
            _delete(state, subscription, turn)
    else:
        place.mailbox.purge(turn)
    del state.places[place.destination]
    del state.places_by_id[place.id]
