"""What a connection says of the provider (Jakarta Messaging 3.1 §6.1.6)."""

from __future__ import annotations

import msgspec

import rmimom


class ConnectionMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of which specification this is, by whom, and which properties named JMSX it knows (§3.5.9)."""

    jms_version: str = "3.1"
    jms_major_version: int = 3
    jms_minor_version: int = 1
    provider_name: str = "rmimom"
    provider_version: str
    provider_major_version: int
    provider_minor_version: int
    jmsx_property_names: tuple[str, ...]


def metadata() -> ConnectionMetadata:
    """Of this version of rmimom."""
    version = rmimom.__version__
    major, minor = (int(part) for part in version.split(".")[:2])
    return ConnectionMetadata(
        provider_version=version,
        provider_major_version=major,
        provider_minor_version=minor,
        jmsx_property_names=("JMSXDeliveryCount", "JMSXGroupID", "JMSXGroupSeq", "JMSXUserID"),
    )
