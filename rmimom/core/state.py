"""Everything the core knows, in one place; the chapters beside this file change it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from rmimom.core.agenda import Agenda
from rmimom.core.consumer import Consumer
from rmimom.core.history import History
from rmimom.core.mailbox import Mailbox
from rmimom.core.pattern_consumer import PatternConsumer
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.producers import Producers
from rmimom.core.residence import DEFAULT_RESIDENT_BYTES, Residence
from rmimom.core.shelf import Shelf
from rmimom.core.subscription import Subscription
from rmimom.core.turn import Turn
from rmimom.core.virtual import is_virtual, topic_of
from rmimom.destination import SYSTEM_PREFIX, TEMPORARY, Destination, Queue, Temporary, Topic
from rmimom.effects import DestinationAdded
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.policy import Policies
from rmimom.records import DestinationCreated, UserPut
from rmimom.retention import Retention, retention_of

SERVER = "server"
"""The connection in whose name the server itself and its administrators act; it is always connected."""
BARE = "bare"
"""The connection in whose name plain Pyro5 clients send, who have none of their own; it is always connected."""


class Rules(msgspec.Struct, frozen=True):
    """The settings of the core.

    `auto_create`: destinations come to be at first use.  `max_message_size`: bytes of one frame.
    `resident_bytes`: budget for frames in memory.  `recovery_grace`: milliseconds that messages in doubt wait for
    their consumers after a restart.  `producer_memory`: milliseconds for which a silent producer's numbers are kept.
    `policies`: what becomes of messages that consumers fail on, or that expire.  `retentions`: what is kept of topics.
    """

    auto_create: bool = True
    max_message_size: int = 100 * 1024 * 1024
    resident_bytes: int = DEFAULT_RESIDENT_BYTES
    recovery_grace: int = 1000
    producer_memory: int = 24 * 3600 * 1000
    policies: Policies = msgspec.field(default_factory=Policies)
    retentions: tuple[Retention, ...] = ()


class OpenConsumer(msgspec.Struct):
    """A consumer and where it belongs; `subscription` is None on a queue, `place` with a pattern of topics."""

    consumer: Consumer
    mailbox: Mailbox
    place: Place | None
    subscription: Subscription | None

    @property
    def source(self) -> Destination:
        """What it was opened on."""
        return self.mailbox.origin

    def acknowledge(self, up_to: int, tags: list[int] | tuple[int, ...], turn: Turn) -> int:
        """It is done with messages; returns how many."""
        return self.mailbox.acknowledge(self.consumer, up_to, tags, turn)

    def parts(self) -> list[tuple[Mailbox, Consumer]]:
        """Where it stands, and as whom."""
        return [(self.mailbox, self.consumer)]

    def shares(self, tags: Iterable[int]) -> list[tuple[Mailbox, Consumer, list[int]]]:
        """The same, with those of these tags that are to be looked for there."""
        return [(self.mailbox, self.consumer, list(tags))]

    def lost(self, tags: Iterable[int]) -> list[int]:
        """Those of these tags that others have or had."""
        return [tag for tag in tags if self.mailbox.is_lost(self.consumer, tag)]


class OpenPattern(msgspec.Struct):
    """A consumer of all queues that match a pattern; it can be asked what an `OpenConsumer` can be asked."""

    consumer: PatternConsumer
    subscription: None = None

    @property
    def source(self) -> Destination:
        """What it was opened on."""
        return self.consumer.pattern.queue

    def acknowledge(self, up_to: int, tags: list[int] | tuple[int, ...], turn: Turn) -> int:
        """It is done with messages; returns how many."""
        return self.consumer.acknowledge(up_to, tags, turn)

    def parts(self) -> list[tuple[Mailbox, Consumer]]:
        """Where it stands, and as whom."""
        return [(member.mailbox, member) for member in self.consumer.members.values()]

    def shares(self, tags: Iterable[int]) -> list[tuple[Mailbox, Consumer, list[int]]]:
        """Where it holds some of these tags, as whom, and which."""
        return [(member.mailbox, member, own) for member, own in self.consumer.shares(tags)]

    def lost(self, tags: Iterable[int]) -> list[int]:
        """Those of these tags that others have or had: all queues that match are durable, so all that it has not."""
        return [tag for tag in tags if tag not in self.consumer.held]


Opened: TypeAlias = OpenConsumer | OpenPattern


class Client:
    """A connected client: who it is, and what is its own.

    That is its consumers by number, its temporary destinations, and the names under which it numbers what it sends.
    """

    __slots__ = ("client_id", "connection", "consumers", "producers", "temporaries", "user")

    def __init__(self, connection: str, user: str, client_id: str) -> None:
        self.connection = connection
        self.user = user
        self.client_id = client_id
        self.consumers: dict[int, Opened] = {}
        self.producers: set[str] = set()
        self.temporaries: dict[Temporary, Place] = {}

    @property
    def owner(self) -> str:
        """In whose name durable subscriptions are made: the client id, or the user where there is none."""
        return self.client_id or self.user


class State:
    """The state of the core; durable parts of it are what the records describe."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.next_id = 1
        self.residence = Residence(rules.resident_bytes)
        self.agenda: Agenda[Shelf] = Agenda()
        self.places: dict[Destination, Place] = {}
        self.places_by_id: dict[int, Place] = {}
        self.subscriptions: dict[tuple[str, str], Subscription] = {}  # durable ones, by owner and name
        self.passing: dict[tuple[str, str], Subscription] = {}  # shared, not durable; by client id
        self.patterns: dict[int, Subscription] = {}  # subscriptions with a pattern, by id
        self.pattern_consumers: dict[PatternConsumer, None] = {}
        self.freed: dict[PatternConsumer, None] = {}  # those of them that may have room again
        self.fetching: set[int] = set()  # scheduled messages whose frames were asked for
        self.kept = 0  # messages that went into the histories of topics
        self.virtual: dict[str, dict[int, QueuePlace]] = {}  # queues with copies of a virtual topic, by its name
        self.producers = Producers(rules.producer_memory)
        self.followed: set[Destination] = set()  # what somebody watches (`following.py`)
        self.users: dict[str, UserPut] = {}
        self.has_messaging_users = False  # somebody who is no administrator; then the names of users are verified
        self.clients: dict[str, Client] = {name: Client(name, name, "") for name in (SERVER, BARE)}
        self.messages_in = 0
        self.messages_out = 0

    def take_id(self) -> int:
        """The next id of the one sequence for destinations, subscriptions and messages."""
        taken = self.next_id
        self.next_id = taken + 1
        return taken

    def client(self, connection: str) -> Client:
        """The client of a connection; IllegalStateError if it is not connected."""
        found = self.clients.get(connection)
        if found is None:
            raise IllegalStateError("this connection is closed; connect again", connection=connection)
        return found

    def put_user(self, user: UserPut) -> None:
        """Add a user or change one."""
        self.users[user.name] = user
        self._count_users()

    def remove_user(self, name: str) -> None:
        """Remove a user who is there."""
        del self.users[name]
        self._count_users()

    def _count_users(self) -> None:
        self.has_messaging_users = any(not user.administrator for user in self.users.values())

    def mailbox(self, mailbox_id: int, origin: Destination, *, durable: bool) -> Mailbox:
        """A new, empty mailbox of a queue, or of a subscription of a topic."""
        expiry_queue = self.rules.policies.of(origin).expiry_queue(origin)
        return Mailbox(mailbox_id, durable, self.residence, self.agenda, origin, expiry_queue)

    def add_place(self, place_id: int, destination: Destination, created: int) -> Place:
        """Make a destination known."""
        place: Place
        if isinstance(destination, Queue):
            durable = not isinstance(destination, TEMPORARY)
            place = QueuePlace(place_id, destination, created, self.mailbox(place_id, destination, durable=durable))
            topic = topic_of(destination)
            if topic:
                self.virtual.setdefault(topic, {})[place_id] = place
            for consumer in self.pattern_consumers:
                if consumer.pattern.matches(destination):
                    place.mailbox.admit(consumer.join(place.mailbox))
        else:
            assert isinstance(destination, Topic)
            place = TopicPlace(place_id, destination, created)
            place.patterns = {number: one for number, one in self.patterns.items() if one.matches(destination)}
            if is_virtual(destination):
                place.queues = self.virtual.setdefault(destination.name, {})
            retention = retention_of(destination, self.rules.retentions)
            if retention is not None:
                place.history = History(retention)
        self.places[destination] = place
        self.places_by_id[place_id] = place
        return place

    def remove_place(self, place: Place) -> None:
        """Forget a destination that nothing waits in."""
        del self.places[place.destination]
        del self.places_by_id[place.id]
        topic = topic_of(place.destination)
        if topic:
            del self.virtual[topic][place.id]

    def attach(self, subscription: Subscription) -> None:
        """Give a new subscription its topic, or all that match."""
        if subscription.pattern:
            self.patterns[subscription.id] = subscription
            for place in self.places.values():
                if isinstance(place, TopicPlace) and subscription.matches(place.destination):
                    place.patterns[subscription.id] = subscription
        else:
            topic = self.places_by_id[subscription.topic]
            assert isinstance(topic, TopicPlace)
            topic.subscriptions[subscription.id] = subscription

    def detach(self, subscription: Subscription) -> None:
        """Take a subscription from its topic, or from all that match."""
        if subscription.pattern:
            del self.patterns[subscription.id]
            for place in self.places.values():
                if isinstance(place, TopicPlace):
                    place.patterns.pop(subscription.id, None)
        else:
            topic = self.places_by_id[subscription.topic]
            assert isinstance(topic, TopicPlace)
            topic.remove(subscription)

    def create(self, destination: Destination, connection: str, turn: Turn) -> Place:
        """Create a destination that does not exist; raises InvalidDestinationError if its name is not allowed."""
        if isinstance(destination, TEMPORARY):
            self.find(destination)
        destination.checked()
        if destination.name.startswith(SYSTEM_PREFIX) and connection != SERVER:
            raise InvalidDestinationError(
                f"names that start with {SYSTEM_PREFIX!r} belong to the server; choose another name than "
                f"{destination.name!r}",
                destination=str(destination),
            )
        place = self.add_place(self.take_id(), destination, turn.now)
        turn.records.append(DestinationCreated(place.id, destination.kind, destination.name, turn.now))
        turn.effects.append(DestinationAdded(destination))
        return place

    def find(self, destination: Destination) -> Place:
        """The place of a destination; InvalidDestinationError if it does not exist."""
        place = self.places.get(destination)
        if place is None and isinstance(destination, TEMPORARY):
            raise InvalidDestinationError(
                f"{destination} is gone: it was deleted, or the connection that made it ended (§6.2.2)",
                destination=str(destination),
            )
        if place is None:
            raise InvalidDestinationError(
                f"there is no {destination.kind} named {destination.name!r}; "
                f"create it with: rmimom-admin {destination.kind} create {destination.name}",
                destination=str(destination),
            )
        return place

    def find_or_create(self, destination: Destination, connection: str, turn: Turn) -> Place:
        """The place of a destination, made at its first use if the rules allow it."""
        place = self.places.get(destination)
        if place is not None:
            return place
        if self.rules.auto_create:
            return self.create(destination, connection, turn)
        return self.find(destination)
