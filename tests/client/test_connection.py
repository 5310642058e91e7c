"""The client library as applications use it, against the fake server."""

from __future__ import annotations

import pytest
from support.fake_server import FakeServer

from rmimom.client.factory import ConnectionFactory


@pytest.mark.parametrize("delivery", ["auto", "callback", "pull"])
def test_publish_and_receive(factory: ConnectionFactory, server: FakeServer, delivery: str) -> None:
    with factory.create_connection("app", "secret", delivery=delivery) as connection:
        session = connection.create_session()
        quakes = session.topic("earthquakes")
        subscriber = session.create_subscriber(quakes)
        session.create_publisher(quakes).publish("M 5.1, Alaska", properties={"magnitude": 5.1}, priority=7)
        message = subscriber.receive(timeout=5)
        assert message is not None
        assert message.body == "M 5.1, Alaska"
        assert message.properties == {"magnitude": 5.1}
        assert message.priority == 7
        assert message.destination == quakes
        assert message.delivery_count == 1
        assert connection.delivery == ("pull" if delivery == "pull" else "callback")
    assert server.broker.acknowledged == [1]
