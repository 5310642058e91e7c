"""Names of destinations as STOMP clients write them, and as they are shown to them.

    /queue/NAME  queue://NAME  /amq/queue/NAME  NAME        the queue NAME
    /topic/NAME  topic://NAME                               the topic NAME
    /exchange/amq.topic/KEY, /exchange/amq.direct/KEY       the topic KEY, the queue KEY
    /exchange/NAME[/KEY]                                    the topic NAME, or NAME.KEY
    /temp-queue/NAME, /temp-topic/NAME                      one that only this connection consumes from
    /remote-temp-queue/NAME, /remote-temp-topic/NAME        the same, as others see it and send there

What begins with no known word is a queue of that whole name, as in ActiveMQ.  Several destinations stand between
commas; those behind the first may lack the word, and are of the first one's kind then.  `*` stands for one element of
a topic's name, `>` or `#` at the end for all that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rmimom.destination import KINDS, TEMPORARY, Destination, Queue, TemporaryQueue, TemporaryTopic, Topic, check_source
from rmimom.errors import InvalidDestinationError

_REMEMBERED: Final = 1000


class Destinations:
    """The names of one connection.

    `token` is chance: its temporary destinations have it before the name that the client gave them.
    """

    def __init__(self, token: str) -> None:
        self._own = f"{token}."
        self._read: dict[str, list[Destination]] = {}
        self._shown: dict[str, str] = {}

    def targets(self, text: str) -> list[Destination]:
        """Where a message for `text` goes; raises InvalidDestinationError if a name in it is not allowed."""
        found = self._read.get(text)
        if found is None:
            found = [one.checked() for one in dict.fromkeys(self._parse(text))]
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[text] = found
        return found

    def sources(self, text: str) -> list[Destination]:
        """Where a subscription to `text` takes from; raises InvalidDestinationError if it may not."""
        found = self._parse(text)
        for one in found:
            check_source(one)
            if isinstance(one, TEMPORARY) and not self.is_own(one):
                raise InvalidDestinationError(
                    f"{self.show(str(one))} is a temporary destination of another connection, which alone may consume "
                    "from it; you can send there",
                    destination=str(one),
                )
        return found

    def is_own(self, destination: Destination) -> bool:
        """Whether it is a temporary destination of this connection."""
        return isinstance(destination, TEMPORARY) and destination.name.startswith(self._own)

    def show(self, text: str) -> str:
        """`queue://NAME` or `topic://NAME` as this connection's client knows it; other texts as they are."""
        found = self._shown.get(text)
        if found is None:
            found = self._show(text)
            if len(self._shown) >= _REMEMBERED:
                self._shown.clear()
            self._shown[text] = found
        return found

    def _show(self, text: str) -> str:
        kind, separator, name = text.partition("://")
        if not separator or kind not in KINDS:
            return text
        if not kind.startswith("temp-"):
            return f"/{kind}/{name}"
        if name.startswith(self._own):
            return f"/{kind}/{name.removeprefix(self._own)}"
        return f"/remote-{kind}/{name}"

    def _parse(self, text: str) -> list[Destination]:
        first, *others = text.split(",")
        made, name = self._split(first)
        found = [made(name)]
        for other in others:
            # A part without a word of its own is of the first one's kind.
            kind, name = self._split(other.strip(), made)
            found.append(kind(name))
        return found

    def _split(
        self, text: str, default: Callable[[str], Destination] | None = None
    ) -> tuple[Callable[[str], Destination], str]:
        """What makes a destination of a name, and the name."""
        kind, separator, name = text.partition("://")
        if separator:
            kind = f"/{kind}/"
        else:
            word, separator, name = text[1:].partition("/") if text.startswith("/") else ("", "", text)
            kind = f"/{word}/" if separator else ""
        if kind == "/queue/":
            return Queue, name
        if kind == "/topic/":
            return _topic, name
        if kind == "/temp-queue/":
            return self._temporary_queue, name
        if kind == "/temp-topic/":
            return self._temporary_topic, name
        if kind in {"/remote-temp-queue/", "/remote-temp-topic/"}:
            return (TemporaryQueue if kind == "/remote-temp-queue/" else TemporaryTopic), name
        if kind == "/amq/" and name.startswith("queue/"):
            return Queue, name.removeprefix("queue/")
        if kind == "/exchange/":
            return _of_exchange(name)
        return default or Queue, text

    def _temporary_queue(self, name: str) -> Destination:
        return TemporaryQueue(self._own + name)

    def _temporary_topic(self, name: str) -> Destination:
        return TemporaryTopic(self._own + name)


def _topic(name: str) -> Destination:
    # RabbitMQ's word for the rest of a name.
    return Topic(name.removesuffix("#") + ">" if name == "#" or name.endswith(".#") else name)


def _of_exchange(text: str) -> tuple[Callable[[str], Destination], str]:
    exchange, _, key = text.partition("/")
    if exchange == "amq.direct":
        return Queue, key
    if exchange == "amq.topic":
        return _topic, key
    return _topic, f"{exchange}.{key}" if key else exchange
