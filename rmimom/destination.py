"""Where messages are sent: a Queue or a Topic, told apart by kind and name.

A destination here is a name and nothing more; it may be kept, compared, hashed and sent.  Its text form is
`queue://name` or `topic://name`.  In the name server it is `rmimom.queue.<name>` or `rmimom.topic.<name>`.

Temporary ones are called `temp-queue://name` and `temp-topic://name`; they stand in no name server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, TypeAlias, cast

import msgspec

from rmimom.errors import IllegalStateError, InvalidDestinationError

MAX_NAME_LENGTH = 255
# Free for people's habits (dots, slashes, colons, any alphabet), closed for what other rules use: white space and
# control characters, lone surrogates (which are no characters and cannot be stored), the wildcards * > #, the list
# separator, and characters that break URIs and shells.
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff*>#,?@'\"\\]")
SYSTEM_PREFIX = "rmimom."
FACTORY_NAME = "rmimom.ConnectionFactory"
ADMINISTRATION_NAME = "rmimom.Administration"
CLUSTER_NAME = "rmimom.Cluster"
"""The names of the two administered objects that every server has, in the name server and as ids of the objects."""


class Destination(msgspec.Struct, frozen=True, order=True, gc=False):
    """A queue or a topic by name; use `Queue` or `Topic` to make one.

    Raises InvalidDestinationError from `checked()` when the name is not allowed.
    """

    name: str

    kind: ClassVar[str] = ""

    def __str__(self) -> str:
        return f"{self.kind}://{self.name}"

    @property
    def registered_name(self) -> str:
        """The name under which the administered object stands in the name server."""
        return f"rmimom.{self.kind}.{self.name}"

    @property
    def is_system(self) -> bool:
        """Whether it belongs to the servers themselves, as the heartbeat's topic does."""
        return self.name.startswith(SYSTEM_PREFIX)

    def checked(self) -> Destination:
        """Return self if the name is allowed, else raise InvalidDestinationError."""
        check_name(self.name, self.kind)
        return self


class Queue(Destination, frozen=True, gc=False):
    """Each message goes to one consumer (Jakarta Messaging §4.1)."""

    kind: ClassVar[str] = "queue"


class Topic(Destination, frozen=True, gc=False):
    """Each message goes to every subscription (Jakarta Messaging §4.2)."""

    kind: ClassVar[str] = "topic"


class TemporaryQueue(Queue, frozen=True, gc=True, dict=True):
    """A queue of one connection, for as long as that lasts (§6.2.2); made by `Session.create_temporary_queue`.

    Every connection may send to it, so it is what `reply_to` names; only its own connection may consume from it.
    """

    kind: ClassVar[str] = "temp-queue"

    def delete(self) -> None:
        """Delete it with what waits there; twice is harmless.

        Raises IllegalStateError while it has a consumer, or if another connection made it.
        """
        return _delete(self)


class TemporaryTopic(Topic, frozen=True, gc=True, dict=True):
    """A topic of one connection, for as long as that lasts (§6.2.2); made by `Session.create_temporary_topic`.

    Every connection may send to it; only its own connection may subscribe to it.
    """

    kind: ClassVar[str] = "temp-topic"

    def delete(self) -> None:
        """Delete it with what waits there; twice is harmless.

        Raises IllegalStateError while it has a subscriber, or if another connection made it.
        """
        return _delete(self)


Temporary: TypeAlias = TemporaryQueue | TemporaryTopic
TEMPORARY = (TemporaryQueue, TemporaryTopic)
_DELETER = "deleter"


def belonging(made: Temporary, deleter: Callable[[Temporary], object]) -> None:
    """Say who deletes it when asked.  That is no part of the name, so it is equal to what a peer received as one.

    What `deleter` returns `delete` gives back: something to await, for programs on an event loop.
    """
    made.__dict__[_DELETER] = deleter


def _delete(made: Temporary) -> None:
    deleter: Callable[[Temporary], object] | None = made.__dict__.get(_DELETER)
    if deleter is None:
        raise IllegalStateError(
            f"{made} was made by another connection, which alone can delete it (§6.2.2)", destination=str(made)
        )
    return cast("None", deleter(made))


_WITH_PATTERNS = (Queue.kind, Topic.kind)
KINDS: dict[str, type[Destination]] = {one.kind: one for one in (Queue, Topic, TemporaryQueue, TemporaryTopic)}


def check_name(name: str, kind: str) -> None:
    """Raise InvalidDestinationError if `name` may not name a destination of this kind."""
    if not name:
        raise InvalidDestinationError(f"a {kind} needs a name, but the name given is empty", kind=kind)
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidDestinationError(
            f"the {kind} name has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed", kind=kind
        )
    found = _FORBIDDEN.search(name)
    if found:
        if kind in _WITH_PATTERNS and _is_sound_pattern(name):
            raise InvalidDestinationError(
                f"{name!r} is a pattern, which can only be consumed from; name one {kind} here", kind=kind, name=name
            )
        raise InvalidDestinationError(
            f"the {kind} name {name!r} holds {found.group()!r} at position {found.start()}; "
            "names may not hold white space, control characters, surrogates, quotes, backslashes or any of * > # , ? @",
            kind=kind,
            name=name.encode("utf-8", "backslashreplace").decode(),
        )


def is_pattern(destination: Destination) -> bool:
    """Whether the name has wildcards, so that it means queues or topics: all that match, now and later."""
    return destination.kind in _WITH_PATTERNS and ("*" in destination.name or ">" in destination.name)


def check_source(destination: Destination) -> None:
    """Raise InvalidDestinationError unless messages may come from there: from a queue, a topic or a pattern of either.

    A pattern has elements between dots: `*` stands for any one element, `>` at the end for all that follow, or none.
    """
    if not is_pattern(destination):
        destination.checked()
    elif not _is_sound_pattern(destination.name):
        raise InvalidDestinationError(
            f"{destination.name!r} is no pattern of {destination.kind}s: * and > must be whole elements between dots, "
            "> the last, and the rest what a name may hold",
            kind=destination.kind,
            name=destination.name.encode("utf-8", "backslashreplace").decode(),
        )


def _is_sound_pattern(name: str) -> bool:
    *elements, last = name.split(".")
    plain = "".join(element for element in elements if element != "*") + ("" if last in {"*", ">"} else last)
    return len(name) <= MAX_NAME_LENGTH and not _FORBIDDEN.search(plain)


def compile_pattern(name: str) -> re.Pattern[str]:
    """An expression whose `fullmatch` says whether a destination's name matches; each name is matched in linear time.

    `quakes.>` matches `quakes` itself, too, as in ActiveMQ and in the patterns of policies.
    The server's own destinations are matched only by patterns that begin with their prefix.
    """
    *elements, last = name.split(".")
    if last != ">":
        elements.append(last)
    expression = r"\.".join(r"[^.]+" if element == "*" else re.escape(element) for element in elements)
    if last == ">":
        expression += r"(?:\..+)?" if elements else ".+"
    others = "" if name.startswith(SYSTEM_PREFIX) else f"(?!{re.escape(SYSTEM_PREFIX)})"
    return re.compile(others + expression)


def parse_source(text: str) -> Destination:
    """Read `queue://name`, `topic://name` or a pattern of either; raises InvalidDestinationError for anything else."""
    if "," in text:
        raise InvalidDestinationError(
            f"{text!r} names several destinations, which can only be sent to; open a consumer for each of them",
            destination=text,
        )
    made = _parse(text)
    check_source(made)
    return made


def parse_destination(text: str) -> Destination:
    """Read `queue://name` or `topic://name`; raises InvalidDestinationError for anything else."""
    return _parse(text).checked()


def _parse(text: str) -> Destination:
    kind, separator, name = text.partition("://")
    made = KINDS.get(kind)
    if not separator or made is None:
        raise InvalidDestinationError(
            f"{text!r} is not a destination; write queue://NAME or topic://NAME", destination=text
        )
    return made(name)
