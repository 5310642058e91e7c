"""Consuming: consumers and subscriptions come and go, messages are acknowledged."""

from __future__ import annotations

from collections.abc import Iterable

from rmimom.commands import (
    Acknowledge,
    CloseConsumer,
    CreateSubscription,
    DeleteSubscription,
    Examined,
    RemoveSubscription,
    Subscribe,
)
from rmimom.core.consumer import Consumer
from rmimom.core.limits import MAX_RANK, MAX_URI_LENGTH, check_number, check_text
from rmimom.core.mailbox import Mailbox
from rmimom.core.pattern_consumer import PatternConsumer
from rmimom.core.patterns import open_pattern, part_with
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.recalling import recall
from rmimom.core.scheduling import SCHEDULE
from rmimom.core.state import Client, OpenConsumer, Opened, OpenPattern, State
from rmimom.core.subscription import Subscription
from rmimom.core.turn import Turn
from rmimom.destination import TEMPORARY, Queue, Topic, check_source, is_pattern
from rmimom.errors import IllegalStateError, InvalidClientIDError, InvalidDestinationError
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
    if not -MAX_RANK <= command.priority <= MAX_RANK:
        raise IllegalStateError(
            f"the priority of a consumer is a number from {-MAX_RANK} to {MAX_RANK}, not {command.priority}"
        )
    _check_names(command)
    selector = parse_selector(command.selector)
    if is_pattern(command.destination) and isinstance(command.destination, Queue):
        whole, unknown = open_pattern(state, client, command, selector, turn)
        for member in whole.members.values() if unknown else ():
            _settle_buried(state, member.mailbox, unknown, turn)
        return [tag for tag in command.held if tag not in whole.held]
    place: Place | None = None
    if is_pattern(command.destination):
        check_source(command.destination)
    else:
        place = state.find_or_create(command.destination, command.connection, turn)
        if place.owner:
            check_owner(place, command.connection, durable=command.durable)
    subscription: Subscription | None = None
    mailbox: Mailbox
    if isinstance(place, QueuePlace):
        if command.durable or command.shared:
            raise InvalidDestinationError(
                f"a {'durable' if command.durable else 'shared'} subscription needs a topic, but "
                f"{command.destination} is a queue; messages in a queue wait for their consumers anyway",
                destination=str(command.destination),
            )
        if place.destination == SCHEDULE:
            raise InvalidDestinationError(f"{SCHEDULE} belongs to the server, which sends what waits there in time")
        mailbox = place.mailbox
    else:
        subscription = _subscription(state, client, place, command, selector, turn)
        # The topic sends the subscription only what its selector takes.
        selector = None
        subscription.connection = command.connection
        mailbox = subscription.mailbox
    consumer = Consumer(
        command.connection,
        command.consumer,
        command.prefetch,
        command.prefetch_bytes,
        selector,
        priority=command.priority,
        exclusive=command.exclusive,
    )
    client.consumers[command.consumer] = OpenConsumer(consumer, mailbox, place, subscription)
    lost = mailbox.open(consumer, command.settled, command.held, turn)
    if command.settled:
        _settle_buried(state, mailbox, command.settled, turn)
    return lost


def _settle_buried(state: State, mailbox: Mailbox, settled: tuple[int, ...], turn: Turn) -> None:
    """What a consumer settled without hearing the answer may be among the dead by now: it is done all the same."""
    policy = state.rules.policies.of(mailbox.origin)
    for name in (policy.dead_letter_queue(mailbox.origin), policy.expiry_queue(mailbox.origin)):
        place = state.places.get(Queue(name)) if name else None
        if isinstance(place, QueuePlace) and place.mailbox is not mailbox:
            place.mailbox.settle_buried(mailbox.id, settled, turn)


def check_owner(place: Place, connection: str, *, durable: str = "") -> None:
    """Raise InvalidDestinationError unless a consumer of this connection may have a temporary destination (§6.2.2)."""
    if place.owner != connection:
        raise InvalidDestinationError(
            f"{place.destination} belongs to another connection: any connection may send to it, only that one may "
            "consume from it (§6.2.2)",
            destination=str(place.destination),
        )
    if durable:
        raise InvalidDestinationError(
            f"{place.destination} is temporary, so no subscription to it can be durable: {durable!r}",
            destination=str(place.destination),
            subscription=durable,
        )


def _check_names(command: Subscribe) -> None:
    """A shared subscription has one name and takes what everybody sends, for its consumers may be anywhere (§8.3.2)."""
    if command.shared and bool(command.durable) == bool(command.name):
        raise InvalidDestinationError(
            "a shared subscription has one name: that of a durable one, or that of one that is not durable"
        )
    if command.name and not command.shared:
        raise InvalidDestinationError(
            f"the subscription {command.name!r} is neither durable nor shared, so it can have no name",
            subscription=command.name,
        )
    if command.shared and (command.no_local or command.callback):
        raise IllegalStateError("a shared subscription has neither no-local nor a callback object")


def _subscription(
    state: State, client: Client, topic: TopicPlace | None, command: Subscribe, selector: Selector | None, turn: Turn
) -> Subscription:
    """The subscription that the command speaks of, found, made or made anew."""
    if command.shared:
        return _shared_subscription(state, client, topic, command, selector, turn)
    if not command.durable:
        return _new_subscription(state, "", topic, command, selector, turn)
    if not client.owner:
        raise IllegalStateError(
            "a durable subscription belongs to a client id or a user; give one when you create the connection",
            subscription=command.durable,
        )
    check_text(command.durable, "the name of the subscription", InvalidDestinationError)
    check_text(command.callback, "the URI of the callback object", InvalidDestinationError, MAX_URI_LENGTH)
    _check_same_sharing(state, client, command)
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
        if _is_as_asked(found, topic, command, selector):
            if found.callback != command.callback:
                found.callback = command.callback
                turn.records.append(CallbackChanged(found.id, command.callback))
            return found
        # Another topic or selector under the same name replaces the subscription, as if it was deleted first (§8.3.3).
        _delete(state, found, turn)
    return _new_subscription(state, client.owner, topic, command, selector, turn)


def _shared_subscription(
    state: State, client: Client, topic: TopicPlace | None, command: Subscribe, selector: Selector | None, turn: Turn
) -> Subscription:
    """The shared subscription that the command speaks of, durable (§8.3.4) or not (§8.3.2); these two know no other.

    It belongs to the client id; without one, to all connections that have none.
    """
    name = command.durable or command.name
    check_text(name, "the name of the subscription", InvalidDestinationError)
    if command.durable:
        _check_same_sharing(state, client, command)
    key = (client.client_id, name)
    found = (state.subscriptions if command.durable else state.passing).get(key)
    if found is not None:
        if _is_as_asked(found, topic, command, selector):
            return found
        if found.active:
            raise IllegalStateError(
                f"the shared subscription {name!r} has active consumers with another topic or selector; subscribe as "
                "they did, close them first, or choose another name",
                subscription=name,
                client_id=client.client_id,
            )
        _delete(state, found, turn)
    return _new_subscription(state, client.client_id, topic, command, selector, turn)


def _check_same_sharing(state: State, client: Client, command: Subscribe) -> None:
    """A shared and an unshared durable subscription may not have the same name, active or not (§8.3.3)."""
    other = state.subscriptions.get((client.owner, command.durable))
    if other is None or other.shared == command.shared:
        other = state.subscriptions.get((client.client_id, command.durable))
    if other is not None and other.shared != command.shared:
        raise IllegalStateError(
            f"the durable subscription {command.durable!r} is {'' if other.shared else 'not '}shared; "
            "unsubscribe it first, or choose another name",
            subscription=command.durable,
            client_id=other.owner,
        )


def _is_as_asked(found: Subscription, topic: TopicPlace | None, command: Subscribe, selector: Selector | None) -> bool:
    same_topic = found.topic == topic.id if topic is not None else found.pattern == command.destination.name
    return same_topic and found.no_local == command.no_local and found.selector is selector


def _new_subscription(
    state: State, owner: str, topic: TopicPlace | None, command: Subscribe, selector: Selector | None, turn: Turn
) -> Subscription:
    number = state.take_id()
    durable = bool(command.durable)
    subscription = Subscription(
        number,
        topic.id if topic is not None else 0,
        state.mailbox(number, command.destination, durable=durable),
        owner=owner,
        name=command.durable or command.name,
        selector=selector,
        no_local=command.no_local,
        callback=command.callback if durable else "",
        created=turn.now,
        shared=command.shared,
        pattern="" if topic is not None else command.destination.name,
    )
    state.attach(subscription)
    if not durable:
        if command.shared:
            state.passing[owner, command.name] = subscription
        if command.retroactive:
            recall(state, subscription, command.connection, turn)
        return subscription
    state.subscriptions[owner, command.durable] = subscription
    turn.records.append(
        SubscriptionCreated(
            number,
            subscription.topic,
            owner,
            command.durable,
            command.selector if selector else "",
            command.no_local,
            command.callback,
            turn.now,
            command.shared,
            subscription.pattern,
        )
    )
    return subscription


def _delete(state: State, subscription: Subscription, turn: Turn) -> None:
    subscription.mailbox.purge(turn)
    state.detach(subscription)
    if subscription.durable:
        del state.subscriptions[subscription.owner, subscription.name]
        turn.records.append(SubscriptionDeleted(subscription.id))
    elif subscription.shared:
        del state.passing[subscription.owner, subscription.name]


def close_consumer(state: State, command: CloseConsumer, turn: Turn) -> None:
    """Close a consumer, at once unless it holds some of what it is to keep; harmless if it is closed already."""
    client = state.client(command.connection)
    opened = client.consumers.get(command.consumer)
    if opened is None:
        return
    if any(tag in opened.consumer.held for tag in command.keep):
        opened.consumer.prefetch = 0
        for mailbox, consumer in opened.parts():
            mailbox.retain(consumer, command.keep, turn)
        subscription = opened.subscription
        if subscription is not None and not (subscription.durable or subscription.shared):
            # Nobody else can have what comes now.
            subscription.ending = True
            subscription.mailbox.purge(turn)
    else:
        del client.consumers[command.consumer]
        close_opened(state, [opened], turn)


def close_opened(state: State, leaving: Iterable[Opened], turn: Turn) -> None:
    """Let consumers go together; subscriptions that are not durable go with the last of them."""
    by_mailbox: dict[int, tuple[Mailbox, Subscription | None, list[Consumer]]] = {}
    patterns: list[PatternConsumer] = []
    for opened in leaving:
        if isinstance(opened, OpenPattern):
            patterns.append(opened.consumer)
            del state.pattern_consumers[opened.consumer]
        for mailbox, consumer in opened.parts():
            by_mailbox.setdefault(mailbox.id, (mailbox, opened.subscription, []))[2].append(consumer)
    for mailbox, subscription, consumers in by_mailbox.values():
        mailbox.close(consumers, turn)
        if subscription is not None:
            subscription.connection = ""
            if not subscription.durable and not subscription.active:
                _delete(state, subscription, turn)
    for whole in patterns:
        for member in list(whole.members.values()):
            whole.leave(member.mailbox)


def delete_subscription(state: State, command: DeleteSubscription, turn: Turn) -> None:
    """Delete a durable subscription of the caller, shared or not (§8.3.3)."""
    client = state.client(command.connection)
    found = state.subscriptions.get((client.owner, command.name))
    if found is None:
        found = state.subscriptions.get((client.client_id, command.name))
    if found is None:
        raise InvalidDestinationError(
            f"{client.owner!r} has no durable subscription named {command.name!r}",
            subscription=command.name,
            client_id=client.owner,
        )
    _delete_inactive(state, found, turn)


def _delete_inactive(state: State, found: Subscription, turn: Turn) -> None:
    if found.active:
        raise IllegalStateError(
            f"the durable subscription {found.name!r} has an active consumer; close that first",
            subscription=found.name,
        )
    _delete(state, found, turn)


def create_subscription(state: State, command: CreateSubscription, turn: Turn) -> int:
    """Make a durable subscription in the name of a client id; returns its id."""
    state.client(command.connection)
    selector = parse_selector(command.selector)
    if not isinstance(command.destination, Topic) or isinstance(command.destination, TEMPORARY):
        raise InvalidDestinationError(
            f"a durable subscription needs a topic that stays, but {command.destination} is none",
            destination=str(command.destination),
        )
    check_text(command.client_id, "the client id", InvalidClientIDError)
    if not command.client_id and not command.shared:
        raise InvalidClientIDError("a durable subscription that is not shared belongs to a client id or a user")
    if (command.client_id, command.name) in state.subscriptions:
        raise IllegalStateError(
            f"{command.client_id!r} has a durable subscription {command.name!r} already",
            subscription=command.name,
            client_id=command.client_id,
        )
    if not command.name:
        raise InvalidDestinationError("a durable subscription needs a name, but the name given is empty")
    asked = Subscribe(
        command.connection,
        0,
        command.destination,
        durable=command.name,
        selector=command.selector,
        no_local=command.no_local,
        shared=command.shared,
    )
    _check_names(asked)
    check_text(command.name, "the name of the subscription", InvalidDestinationError)
    topic: TopicPlace | None = None
    if is_pattern(command.destination):
        check_source(command.destination)
    else:
        place = state.find_or_create(command.destination, command.connection, turn)
        assert isinstance(place, TopicPlace)
        topic = place
    return _new_subscription(state, command.client_id, topic, asked, selector, turn).id


def remove_subscription(state: State, command: RemoveSubscription, turn: Turn) -> None:
    """Delete a durable subscription by its id."""
    state.client(command.connection)
    found = next((one for one in state.subscriptions.values() if one.id == command.subscription), None)
    if found is None:
        raise InvalidDestinationError(
            f"there is no durable subscription {command.subscription}", subscription=command.subscription
        )
    _delete_inactive(state, found, turn)


def acknowledge(state: State, command: Acknowledge, turn: Turn) -> None:
    """The consumer is done with messages; a consumer closed meanwhile gave them back, so there is nothing to do."""
    opened = state.client(command.connection).consumers.get(command.consumer)
    if opened is not None:
        state.messages_out += opened.acknowledge(command.up_to, command.tags, turn)


def examined(state: State, command: Examined, turn: Turn) -> None:
    """Frames were read from the store: the selector takes these, unless the queue is gone meanwhile."""
    place = state.places_by_id.get(command.mailbox)
    if isinstance(place, QueuePlace):
        place.mailbox.examined(Selector(command.selector), command.ids, turn)


def delete_place(state: State, place: Place, turn: Turn) -> None:
    """Remove a destination without consumers, with everything that waits there."""
    if isinstance(place, TopicPlace):
        for subscription in list(place.subscriptions.values()):
            _delete(state, subscription, turn)
    else:
        part_with(place.mailbox, turn)
        place.mailbox.purge(turn)
    state.remove_place(place)
