"""Sessions for one kind of destination, and what they forbid (Jakarta Messaging 3.1 §2.9, §9.2).

They are the sessions of the oldest interface of JMS, for programs that come from it, or want to be sure of what they
use.  The Sender and Receiver of a queue, and the Publisher and Subscriber of a topic, are the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from rmimom.client.session import Session
from rmimom.errors import IllegalStateError


def _forbidden(method: str) -> Callable[..., NoReturn]:
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

    topic = _forbidden("topic")
    create_temporary_topic = _forbidden("create_temporary_topic")
    create_publisher = _forbidden("create_publisher")
    create_subscriber = _forbidden("create_subscriber")
    unsubscribe = _forbidden("unsubscribe")


class TopicSession(Session):
    """A session for topics: what is about queues and browsers raises IllegalStateError."""

    queue = _forbidden("queue")
    create_temporary_queue = _forbidden("create_temporary_queue")
    create_sender = _forbidden("create_sender")
    create_receiver = _forbidden("create_receiver")
    create_browser = _forbidden("create_browser")
