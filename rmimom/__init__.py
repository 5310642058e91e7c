"""rmimom: reliable message-oriented middleware, JMS queues and topics over Pyro5 remote objects.

The names in `__all__` are the public ones, described in docs/api.md; everything else may change.  Each is loaded when
it is first used, so that a program that needs only one of them (a command, the core in a simulation) starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors; at run time __getattr__ below does it
    from rmimom.client.browser import QueueBrowser
    from rmimom.client.completion import CompletionListener
    from rmimom.client.connection import Connection
    from rmimom.client.consumer import (
        Consumer,
        MessageObserver,
        Receiver,
        Subscriber,
    )
    from rmimom.client.context import Context
    from rmimom.client.context_producer import ContextProducer
    from rmimom.client.domains import QueueSession, TopicSession
    from rmimom.client.event import ConnectionEvent
    from rmimom.client.factory import ConnectionFactory, connect
    from rmimom.client.heartbeat import HeartbeatPublisher, HeartbeatSubscriber
    from rmimom.client.manager import ClientConnectionManager
    from rmimom.client.metadata import ConnectionMetadata
    from rmimom.client.mode import AcknowledgeMode
    from rmimom.client.producer import Producer, Publisher, Sender
    from rmimom.client.receipt import Receipt
    from rmimom.client.reporter import ExceptionListener
    from rmimom.client.requestor import PendingReply, Requestor
    from rmimom.client.session import Session
    from rmimom.composite import CompositeDestination
    from rmimom.destination import Destination, Queue, TemporaryQueue, TemporaryTopic, Topic
    from rmimom.errors import (
        ConfigurationError,
        ConnectionFailedError,
        IllegalStateError,
        InvalidClientIDError,
        InvalidDestinationError,
        InvalidSelectorError,
        JMSError,
        JMSSecurityError,
        MessageEOFError,
        MessageFormatError,
        MessageNotReadableError,
        MessageNotWriteableError,
        MessageTooLargeError,
        ResourceAllocationError,
        StoreDamagedError,
        StoreError,
        StoreFullError,
        StoreInUseError,
        StoreVersionError,
        TransactionInProgressError,
        TransactionRolledBackError,
    )
    from rmimom.kinds import BytesMessage, MapMessage, ObjectMessage, StreamMessage, TextMessage
    from rmimom.message import Message
    from rmimom.phi import SuspicionLevel
    from rmimom.values import Byte, Char, Float, Int, Short

__version__ = "0.1.0"

__all__ = [
    "AcknowledgeMode",
    "Byte",
    "BytesMessage",
    "Char",
    "ClientConnectionManager",
    "CompletionListener",
    "CompositeDestination",
    "ConfigurationError",
    "Connection",
    "ConnectionEvent",
    "ConnectionFactory",
    "ConnectionFailedError",
    "ConnectionMetadata",
    "Consumer",
    "Context",
    "ContextProducer",
    "Destination",
    "ExceptionListener",
    "Float",
    "HeartbeatPublisher",
    "HeartbeatSubscriber",
    "IllegalStateError",
    "Int",
    "InvalidClientIDError",
    "InvalidDestinationError",
    "InvalidSelectorError",
    "JMSError",
    "JMSSecurityError",
    "MapMessage",
    "Message",
    "MessageEOFError",
    "MessageFormatError",
    "MessageNotReadableError",
    "MessageNotWriteableError",
    "MessageObserver",
    "MessageTooLargeError",
    "ObjectMessage",
    "PendingReply",
    "Producer",
    "Publisher",
    "Queue",
    "QueueBrowser",
    "QueueSession",
    "Receipt",
    "Receiver",
    "Requestor",
    "ResourceAllocationError",
    "Sender",
    "Session",
    "Short",
    "StoreDamagedError",
    "StoreError",
    "StoreFullError",
    "StoreInUseError",
    "StoreVersionError",
    "StreamMessage",
    "Subscriber",
    "SuspicionLevel",
    "TemporaryQueue",
    "TemporaryTopic",
    "TextMessage",
    "Topic",
    "TopicSession",
    "TransactionInProgressError",
    "TransactionRolledBackError",
    "connect",
]

_HOMES = {
    "rmimom.client.browser": ("QueueBrowser",),
    "rmimom.client.completion": ("CompletionListener",),
    "rmimom.client.connection": ("Connection",),
    "rmimom.client.consumer": ("Consumer", "MessageObserver", "Receiver", "Subscriber"),
    "rmimom.client.context": ("Context",),
    "rmimom.client.context_producer": ("ContextProducer",),
    "rmimom.client.event": ("ConnectionEvent",),
    "rmimom.client.domains": ("QueueSession", "TopicSession"),
    "rmimom.client.factory": ("ConnectionFactory", "connect"),
    "rmimom.client.heartbeat": ("HeartbeatPublisher", "HeartbeatSubscriber"),
    "rmimom.client.manager": ("ClientConnectionManager",),
    "rmimom.client.metadata": ("ConnectionMetadata",),
    "rmimom.client.mode": ("AcknowledgeMode",),
    "rmimom.client.producer": ("Producer", "Publisher", "Sender"),
    "rmimom.client.receipt": ("Receipt",),
    "rmimom.client.reporter": ("ExceptionListener",),
    "rmimom.client.requestor": ("PendingReply", "Requestor"),
    "rmimom.client.session": ("Session",),
    "rmimom.composite": ("CompositeDestination",),
    "rmimom.destination": ("Destination", "Queue", "TemporaryQueue", "TemporaryTopic", "Topic"),
    "rmimom.errors": (
        "ConfigurationError",
        "ConnectionFailedError",
        "IllegalStateError",
        "InvalidClientIDError",
        "InvalidDestinationError",
        "InvalidSelectorError",
        "JMSError",
        "JMSSecurityError",
        "MessageEOFError",
        "MessageFormatError",
        "MessageNotReadableError",
        "MessageNotWriteableError",
        "MessageTooLargeError",
        "ResourceAllocationError",
        "StoreDamagedError",
        "StoreError",
        "StoreFullError",
        "StoreInUseError",
        "StoreVersionError",
        "TransactionInProgressError",
        "TransactionRolledBackError",
    ),
    "rmimom.kinds": ("BytesMessage", "MapMessage", "ObjectMessage", "StreamMessage", "TextMessage"),
    "rmimom.message": ("Message",),
    "rmimom.phi": ("SuspicionLevel",),
    "rmimom.values": ("Byte", "Char", "Float", "Int", "Short"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its module at its first use."""
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'rmimom' has no attribute {name!r}")
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not, and what the module holds itself."""
    return sorted(set(__all__) | set(globals()))
