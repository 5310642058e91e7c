"""The producer of a context: sends to any destination with headers set beforehand (Jakarta Messaging 3.1 §2.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from rmimom.client.options import SendOptions
from rmimom.client.receipt import Receipt
from rmimom.composite import parse_target
from rmimom.destination import Destination, parse_destination
from rmimom.errors import InvalidDestinationError
from rmimom.message import Message
from rmimom.outgoing import check_priority, milliseconds
from rmimom.values import PropertyValue, encode_properties

if TYPE_CHECKING:
    from rmimom.client.completion import CompletionListener
    from rmimom.client.producer import Producer


def destination_of(destination: Destination | str) -> Destination:
    """The destination itself, or that of text, which may name several; raises InvalidDestinationError."""
    if isinstance(destination, str):
        return parse_target(destination)
    if isinstance(destination, Destination):
        return destination
    raise InvalidDestinationError(f"{destination!r} is no destination; give a Queue, a Topic or 'queue://NAME'")


class SendSettings:
    """Headers and properties for all messages of a context's producer.

    They go before those of a Message that is sent; what was not set here is taken from the message, or is the default.
    """

    def __init__(self) -> None:
        self._options = SendOptions()
        self._properties: dict[str, PropertyValue] = {}

    def set(
        self,
        *,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        delivery_delay: float | timedelta | None = None,
        correlation_id: str | None = None,
        reply_to: Destination | str | None = None,
        type: str | None = None,
    ) -> Self:
        """Set some of them and return the producer, so that calls can be chained; `properties` are added to those set.

        Durations are seconds.  Raises MessageFormatError for a value that a message cannot have.
        """
        options = self._options
        if properties is not None:
            merged = {**self._properties, **properties}
            encode_properties(merged)
            self._properties = merged
        if priority is not None:
            options["priority"] = check_priority(priority)
        if persistent is not None:
            options["persistent"] = persistent
        if time_to_live is not None:
            milliseconds(time_to_live, "time_to_live")
            options["time_to_live"] = time_to_live
        if delivery_delay is not None:
            milliseconds(delivery_delay, "delivery_delay")
            options["delivery_delay"] = delivery_delay
        if correlation_id is not None:
            options["correlation_id"] = correlation_id
        if reply_to is not None:
            options["reply_to"] = parse_destination(reply_to) if isinstance(reply_to, str) else reply_to.checked()
        if type is not None:
            options["type"] = type
        return self

    def clear(self) -> Self:
        """Forget everything that was set, properties too, and return the producer."""
        self._options = SendOptions()
        self._properties = {}
        return self

    @property
    def settings(self) -> SendOptions:
        """What was set, in the words of `set`."""
        options = SendOptions(**self._options)
        if self._properties:
            options["properties"] = dict(self._properties)
        return options

    def _for(self, body: object) -> SendOptions:
        """The options with which `body` is sent."""
        own = self._properties
        if not own:
            return self._options
        options = SendOptions(**self._options)
        options["properties"] = {**body._sent_properties(), **own} if isinstance(body, Message) else own
        return options


class ContextProducer(SendSettings):
    """Sends to any destination; made by `Context.create_producer`, costs little and need not be closed (§2.8)."""

    def __init__(self, producer: Producer) -> None:
        super().__init__()
        self._producer = producer

    def send(
        self,
        destination: Destination | str,
        body: object,
        *,
        timeout: float | None = None,
        completion_listener: CompletionListener | None = None,
    ) -> None:
        """Send a message and return when it is on the server's disk; for the rest see `Producer.send`.

        `destination` may be text like "queue://orders"; `body` is what the message is to hold, or a Message.
        """
        self._producer.send(
            body,
            destination=destination_of(destination),
            timeout=timeout,
            completion_listener=completion_listener,
            **self._for(body),
        )

    def send_async(self, destination: Destination | str, body: object) -> Receipt:
        """Send a message without waiting; see `Producer.send_async`."""
        return self._producer.send_async(body, destination=destination_of(destination), **self._for(body))

    def send_many(
        self, destination: Destination | str, bodies: Iterable[object], *, timeout: float | None = None
    ) -> int:
        """Send many messages and return when all of them are on disk, and their number; see `Producer.send_many`."""
        self._producer.flush(timeout)
        count = 0
        for body in bodies:
            self.send_async(destination, body)
            count += 1
        self._producer.flush(timeout)
        return count

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every message that was sent asynchronously has an outcome; see `Producer.flush`."""
        self._producer.flush(timeout)

    def __repr__(self) -> str:
        return f"<ContextProducer {self.settings}>"
