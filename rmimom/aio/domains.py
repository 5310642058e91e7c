"""Sessions for one kind of destination on an event loop (Jakarta Messaging 3.1 §2.9, §9.2)."""

from __future__ import annotations

from rmimom.aio.session import Session
from rmimom.client.domains import forbidden


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
