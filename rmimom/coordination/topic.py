"""The coordination topic: the state changes of the active server, for the other servers of its cluster alone.

It is a topic as Matoffi's paper has it (ITopicRMI), with two differences: only servers subscribe, and what is published
has arrived only when each subscriber in sync has it on disk.
"""

from __future__ import annotations

from typing import Protocol

from rmimom.coordination.key import ServerLogin
from rmimom.coordination.standby import SERVER_PREFIX
from rmimom.errors import IllegalStateError, JMSSecurityError
from rmimom.listeners.rmi.call import current_call
from rmimom.rmi.exposure import expose

COORDINATION_TOPIC = "rmimom.coordination"


class Subscribers(Protocol):
    """The servers that follow."""

    def join(self, server: str, uri: str) -> None:
        """Ship everything to the object of a server from now on; raises IllegalStateError if this one is not active."""
        ...

    def leave(self, server: str) -> bool:
        """Ship no more to a server; False if it did not follow."""
        ...


class CoordinationTopic:
    """ITopicRMI for servers."""

    def __init__(self, subscribers: Subscribers) -> None:
        self._subscribers = subscribers

    @expose
    def publish(self, message: object, user: str) -> bool:
        """Refused: only the active server itself publishes its state changes."""
        del message, user
        raise JMSSecurityError("only the active server publishes on the coordination topic")

    @expose
    def subscribe(self, user: str, client: str) -> bool:
        """Follow this server; `user` is the id of the server that asks, `client` the URI of its object."""
        server = _server(user)
        if not str(client).startswith(f"PYRO:{SERVER_PREFIX}{server}@"):
            raise IllegalStateError(f"{client!r} is not the URI of the object of server {server}")
        self._subscribers.join(server, str(client))
        return True

    @expose
    def set_im_online(self, user: str, client: str) -> bool:
        """The same as `subscribe`."""
        return self.subscribe(user, client)

    @expose
    def remove_subscriber(self, user: str) -> bool:
        """Follow no more; false if the server did not."""
        return self._subscribers.leave(_server(user))


def _server(user: str) -> str:
    login = current_call().peer.user
    if not isinstance(login, ServerLogin):
        raise JMSSecurityError("only servers of the cluster may subscribe to the coordination topic")
    if login.server != user:
        raise JMSSecurityError(f"server {login.server} cannot subscribe for {user}")
    return user
