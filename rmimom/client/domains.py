"""Sessions for one kind of destination, and what they forbid (Jakarta Messaging 3.1 §2.9, §9.2).

They are the sessions of the oldest interface of JMS, for programs that come from it, or want to be sure of what they
use.  The Sender and Receiver of a queue, and the Publisher and Subscriber of a topic, are the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from rmimom.client.session import Session
from rmimom.errors import IllegalStateError


def forbidden(method: str) -> Callable[..., NoReturn]:
    """A method that only refuses."""

    def refuse(self: Session, *arguments: object, **options: object) -> NoReturn:
        self._check_open()
        raise IllegalStateError(
            f"a {type(self).__name__} has no {method}; create a session for all destinations with "
            "connection.create_session() (§9.2)",
            method=method,
        )

    refuse.__doc__ = "Not for this kind of session: raises IllegalStateError (§9.2)."
    return refuse


class QueueSession(Session):
    """A session for queues: what is about topics and subscriptions raises IllegalStateError."""

    topic = forbidden("topic")
    create_temporary_topic = forbidden("create_temporary_topic")
    create_publisher = forbidden("create_publisher")
    create_subscriber = forbidden("create_subscriber")
    unsubscribe = forbidden("unsubscribe")


class TopicSession(Session):
    """A session for topics: what is about queues and browsers raises IllegalStateError."""

    queue = forbidden("queue")
    create_temporary_queue = forbidden("create_temporary_queue")
    create_sender = forbidden("create_sender")
    create_receiver = forbidden("create_receiver")
    create_browser = forbidden("create_browser")
