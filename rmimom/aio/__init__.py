"""rmimom for asyncio: the names of `rmimom`, with the same guarantees, for programs on an event loop.

    async with rmimom.aio.connect() as context:
        await context.send("queue://orders", "hello")
        async for message in context.consume("queue://orders"): ...

What waits is awaited; what is made and must be closed can be entered with `async with`.  Described in docs/api.md.
"""

from rmimom.aio.browser import QueueBrowser
from rmimom.aio.connection import Connection
from rmimom.aio.consumer import Consumer, MessageObserver, Receiver, Subscriber
from rmimom.aio.context import Context
from rmimom.aio.context_producer import ContextProducer
from rmimom.aio.domains import QueueSession, TopicSession
from rmimom.aio.factory import ConnectionFactory, connect
from rmimom.aio.message import Message
from rmimom.aio.producer import Producer, Publisher, Sender
from rmimom.aio.receipt import Receipt
from rmimom.aio.requestor import PendingReply, Requestor
from rmimom.aio.session import Session
from rmimom.aio.temporary import TemporaryQueue, TemporaryTopic

__all__ = [
    "Connection",
    "ConnectionFactory",
    "Consumer",
    "Context",
    "ContextProducer",
    "Message",
    "MessageObserver",
    "PendingReply",
    "Producer",
    "Publisher",
    "QueueBrowser",
    "QueueSession",
    "Receipt",
    "Receiver",
    "Requestor",
    "Sender",
    "Session",
    "Subscriber",
    "TemporaryQueue",
    "TemporaryTopic",
    "TopicSession",
    "connect",
]
