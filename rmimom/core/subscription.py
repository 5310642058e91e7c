"""A subscription: what a topic sends to."""

from __future__ import annotations

from rmimom.core.mailbox import Mailbox
from rmimom.destination import TEMPORARY, Destination, compile_pattern
from rmimom.selector import Selector


class Subscription:
    """A subscription of a topic (§8.3): with at most one active consumer, or `shared` by several who compete.

    `selector` chooses what of the topic enters it; None takes everything.
    A durable one is identified by its owner (the client id, or the user where none was given) and its name, and
    outlives its consumers; `callback` is the URI of a bare IClientRMI object, or empty.  A shared one is identified by
    client id, which may be empty, and name.  One that is not durable lives as long as it has consumers.
    One with a `pattern` belongs to all topics that match it; then `topic` is 0.
    """

    __slots__ = (
        "_expression",
        "callback",
        "connection",
        "created",
        "ending",
        "id",
        "mailbox",
        "name",
        "no_local",
        "owner",
        "pattern",
        "selector",
        "shared",
        "topic",
    )

    def __init__(
        self,
        subscription_id: int,
        topic: int,
        mailbox: Mailbox,
        *,
        owner: str = "",
        name: str = "",
        selector: Selector | None = None,
        no_local: bool = False,
        callback: str = "",
        created: int = 0,
        shared: bool = False,
        pattern: str = "",
    ) -> None:
        self.id = subscription_id
        self.topic = topic
        self.mailbox = mailbox
        self.owner = owner
        self.name = name
        self.selector = selector
        self.no_local = no_local
        self.callback = callback
        self.created = created
        self.shared = shared
        self.pattern = pattern
        self._expression = compile_pattern(pattern) if pattern else None
        self.connection = ""  # of the active consumer
        self.ending = False  # its consumer has closed but for what it still holds, and nobody can follow

    @property
    def durable(self) -> bool:
        """Whether it outlives its consumers."""
        return self.mailbox.durable

    def matches(self, topic: Destination) -> bool:
        """Whether the topic's name matches the pattern; that of a temporary topic matches none."""
        if self._expression is None or isinstance(topic, TEMPORARY):
            return False
        return self._expression.fullmatch(topic.name) is not None

    @property
    def active(self) -> bool:
        """Whether a consumer is connected."""
        return bool(self.mailbox.consumers)

    def is_own(self, connection: str, client_id: str) -> bool:
        """Whether it is the sender's own: of its connection, or durable and of its client id, active or not."""
        return self.connection == connection or bool(client_id and self.owner == client_id)
