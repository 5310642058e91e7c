"""The remote objects of topics and queues: the interfaces of Matoffi's paper for any Pyro5 client.

`TopicProxy` is ITopicRMI: `publish`, `subscribe`, `remove_subscriber`, `set_im_online`; it is the server-side object
that invokes the callbacks.  `QueueProxy` is the same for queues, with `send`.  Messages are plain dicts; both are
described in docs/design/0003.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Protocol

from Pyro5.client import Proxy
from Pyro5.core import URI

from rmimom.clock import Clock
from rmimom.commands import Connect, DeleteSubscription, Disconnect, Send
from rmimom.core.sending import USER_ID
from rmimom.core.state import BARE
from rmimom.destination import Destination
from rmimom.engine import Engine
from rmimom.errors import IllegalStateError, JMSSecurityError
from rmimom.frame import encode
from rmimom.listeners.rmi.call import current_call
from rmimom.listeners.rmi.objects.login import login_of
from rmimom.listeners.rmi.objects.subscriber import BareSubscriber
from rmimom.message import Message
from rmimom.rmi.exposure import expose


class Admission(Protocol):
    """Who may send and receive messages."""

    def check_bare_user(self, user: str, login: str | None) -> None:
        """Raise JMSSecurityError unless `user` may act, given the name that the proxy logged in with."""
        ...


class BareClients:
    """What all destination objects share, and the subscribers that are online."""

    def __init__(self, engine: Engine, clock: Clock, admission: Admission, *, callback_timeout: float) -> None:
        self.engine = engine
        self.clock = clock
        self.admission = admission
        self.callback_timeout = callback_timeout
        self._sender = f"bare:{secrets.token_hex(8)}"
        self._messages = 0
        self._online: dict[tuple[Destination, str], BareSubscriber] = {}

    def next_message_id(self) -> str:
        """An id for a message whose sender has none."""
        self._messages += 1
        return f"ID:{self._sender}:{self._messages}"

    async def put_online(self, destination: Destination, user: str, uri: str, durable: str) -> None:
        """Deliver to the object at `uri` from now on; an older object of the user is let go."""
        key = (destination, user)
        old = self._online.pop(key, None)
        if old is not None:
            old.stop()
        subscriber = BareSubscriber(
            self.engine,
            f"bare:{secrets.token_hex(16)}",
            destination,
            user,
            uri,
            timeout=self.callback_timeout,
            on_offline=self._offline,
        )
        self._online[key] = subscriber
        try:
            await subscriber.start(durable)
        except BaseException:
            self._offline(subscriber)
            raise

    def _offline(self, subscriber: BareSubscriber) -> None:
        key = (subscriber.destination, subscriber.user)
        if self._online.get(key) is subscriber:
            del self._online[key]

    def put_offline(self, destination: Destination, user: str) -> bool:
        """Stop delivering to the user's object; False if there was none."""
        subscriber = self._online.pop((destination, user), None)
        if subscriber is None:
            return False
        subscriber.stop()
        return True

    def stop(self) -> None:
        """Let every subscriber go."""
        for subscriber in list(self._online.values()):
            subscriber.stop()
        self._online.clear()

    @property
    def online(self) -> int:
        """How many subscribers are online."""
        return len(self._online)


class _DestinationObject:
    """What topics and queues have in common."""

    def __init__(self, destination: Destination, clients: BareClients) -> None:
        self._destination = destination
        self._clients = clients

    def _check(self, user: object) -> str:
        if not isinstance(user, str) or not user:
            raise JMSSecurityError("give the name of the user as a text that is not empty")
        login = login_of(current_call().peer)
        self._clients.admission.check_bare_user(user, login.user if login else None)
        return user

    async def _accept(self, message: Mapping[str, object], user: str) -> bool:
        self._check(user)
        clients = self._clients
        made = Message.from_dict(message)
        if made.properties.get(USER_ID, user) != user:
            raise JMSSecurityError(f"the message says that {made.properties[USER_ID]!r} sent it, but {user!r} does")
        frame = made.to_frame(self._destination, message_id=clients.next_message_id(), now=clients.clock.now())
        await clients.engine.submit(Send(BARE, "", 0, self._destination, [encode(frame)]))
        return True

    async def _subscribe(self, user: str, client: object, durable: str) -> bool:
        self._check(user)
        await self._clients.put_online(self._destination, user, _uri(client), durable)
        return True


class TopicProxy(_DestinationObject):
    """ITopicRMI.  A subscription is durable and named by its user."""

    @property
    def _subscription(self) -> str:
        return f"rmi:{self._destination.name}"

    @expose
    async def publish(self, message: Mapping[str, object], user: str) -> bool:
        """Publish a plain message; true when it is on disk."""
        return await self._accept(message, user)

    @expose
    async def subscribe(self, user: str, client: object) -> bool:
        """Subscribe the user; `client` is a proxy (or URI) of an object with new_message and get_client_id."""
        return await self._subscribe(user, client, self._subscription)

    @expose
    async def set_im_online(self, user: str, client: object) -> bool:
        """The user's object is at `client` now; what waited for it is delivered."""
        return await self._subscribe(user, client, self._subscription)

    @expose
    async def remove_subscriber(self, user: str) -> bool:
        """End the user's subscription; what waited for it is gone.  InvalidDestinationError if there is none."""
        self._check(user)
        clients = self._clients
        clients.put_offline(self._destination, user)
        connection = f"bare:{secrets.token_hex(16)}"
        await clients.engine.submit(Connect(connection, user))
        try:
            await clients.engine.submit(DeleteSubscription(connection, self._subscription))
        finally:
            clients.engine.tell(Disconnect(connection))
        return True


class QueueProxy(_DestinationObject):
    """The queue's interface in the manner of ITopicRMI; competing users share the messages."""

    @expose
    async def send(self, message: Mapping[str, object], user: str) -> bool:
        """Send a plain message; true when it is on disk."""
        return await self._accept(message, user)

    @expose
    async def subscribe(self, user: str, client: object) -> bool:
        """Let the user's object compete for messages; `client` is a proxy (or URI) as for a topic."""
        return await self._subscribe(user, client, "")

    @expose
    async def set_im_online(self, user: str, client: object) -> bool:
        """The user's object is at `client` now."""
        return await self._subscribe(user, client, "")

    @expose
    async def remove_subscriber(self, user: str) -> bool:
        """Stop delivering to the user's object; false if it was not online."""
        self._check(user)
        return self._clients.put_offline(self._destination, user)


def _uri(client: object) -> str:
    if isinstance(client, Proxy):
        return str(client._pyroUri)
    if isinstance(client, URI | str):
        return str(client)
    raise IllegalStateError(
        f"the client must be a Pyro5 proxy or URI of an object with new_message and get_client_id, "
        f"not {type(client).__name__}"
    )
