"""Options that are handed on from one call to the next, for type checkers and editors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from rmimom.destination import Destination
from rmimom.values import PropertyValue


class ConnectionOptions(TypedDict, total=False):
    """What `ConnectionFactory.create_connection` takes, but whether to start."""

    client_id: str | None
    delivery: str
    connect_timeout: float
    reconnect_timeout: float
    max_in_flight: int


class BatchOptions(TypedDict, total=False):
    """What `Producer.send_many` takes beside the destination and the time limit."""

    properties: Mapping[str, PropertyValue] | None
    priority: int | None
    persistent: bool | None
    time_to_live: float | timedelta | None
    delivery_delay: float | timedelta | None


class SendOptions(BatchOptions, total=False):
    """What `Producer.send` takes beside the destination and the time limit."""

    correlation_id: str | None
    reply_to: Destination | str | None
    type: str | None


class RequestOptions(TypedDict, total=False):
    """What `Requestor.request` and `Session.reply` take beside the body and the time limit."""

    properties: Mapping[str, PropertyValue] | None
    priority: int | None
    persistent: bool | None
    time_to_live: float | timedelta | None
    type: str | None
