"""Sessions for one kind of destination."""

from __future__ import annotations

import pytest

from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.session import Session
from rmimom.errors import IllegalStateError


def test_a_refusal_names_the_session_and_what_it_has_not(factory: ConnectionFactory) -> None:
    with factory.create_connection() as connection:
        queues = connection.create_queue_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
        topics = connection.create_topic_session(transacted=True)
        assert isinstance(queues, Session)
        assert isinstance(topics, Session)
        assert (queues.mode, topics.transacted) == (AcknowledgeMode.CLIENT_ACKNOWLEDGE, True)
        with pytest.raises(IllegalStateError, match="a QueueSession has no topic") as caught:
            queues.topic("a")
        assert caught.value.facts == {"method": "topic"}
        with pytest.raises(IllegalStateError, match="a TopicSession has no create_browser"):
            topics.create_browser(queues.queue("a"), selector="b = 1")


def test_a_closed_one_says_that_it_is_closed(factory: ConnectionFactory) -> None:
    with factory.create_connection() as connection:
        session = connection.create_queue_session()
        session.close()
        with pytest.raises(IllegalStateError, match="closed"):
            session.topic("a")
