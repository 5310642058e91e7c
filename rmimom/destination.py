"""Where messages are sent: a Queue or a Topic, told apart by kind and name.

A destination here is a name and nothing more; it may be kept, compared, hashed and sent.  Its text form is
`queue://name` or `topic://name`.  In the name server it is `rmimom.queue.<name>` or `rmimom.topic.<name>`.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from rmimom.errors import InvalidDestinationError

MAX_NAME_LENGTH = 255
# Free for people's habits (dots, slashes, colons, any alphabet), closed for what other rules use: white space and
# control characters, lone surrogates (which are no characters and cannot be stored), the wildcards * > #, the list
# separator, and characters that break URIs and shells.
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff*>#,?@'\"\\]")
SYSTEM_PREFIX = "rmimom."
FACTORY_NAME = "rmimom.ConnectionFactory"
ADMINISTRATION_NAME = "rmimom.Administration"
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


KINDS: dict[str, type[Destination]] = {"queue": Queue, "topic": Topic}


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
        raise InvalidDestinationError(
            f"the {kind} name {name!r} holds {found.group()!r} at position {found.start()}; "
            "names may not hold white space, control characters, surrogates, quotes, backslashes or any of * > # , ? @",
            kind=kind,
            name=name.encode("utf-8", "backslashreplace").decode(),
        )


def parse_destination(text: str) -> Destination:
    """Read `queue://name` or `topic://name`; raises InvalidDestinationError for anything else."""
    kind, separator, name = text.partition("://")
    made = KINDS.get(kind)
    if not separator or made is None:
        raise InvalidDestinationError(
            f"{text!r} is not a destination; write queue://NAME or topic://NAME", destination=text
        )
    return made(name).checked()
