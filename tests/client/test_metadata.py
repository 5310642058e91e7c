"""What a connection says of the provider (Jakarta Messaging 3.1 §6.1.6; T:31)."""

from __future__ import annotations

import pytest

import rmimom
from rmimom.client.factory import ConnectionFactory
from rmimom.client.metadata import metadata


def test_metadata(factory: ConnectionFactory) -> None:
    with factory.create_connection() as connection:
        found = connection.metadata
    assert found == metadata()
    assert (found.jms_version, found.jms_major_version, found.jms_minor_version) == ("3.1", 3, 1)
    assert (found.provider_name, found.provider_version) == ("rmimom", rmimom.__version__)
    assert f"{found.provider_major_version}.{found.provider_minor_version}." in f"{found.provider_version}."
    assert {"JMSXDeliveryCount", "JMSXGroupID", "JMSXGroupSeq"} <= set(found.jmsx_property_names)
    with pytest.raises(AttributeError):
        found.provider_name = "another"  # type: ignore[misc]
