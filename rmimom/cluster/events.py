"""What a member of a cluster may learn; `member.handle` is given one at a time.

What comes from another server must come over an open connection with that server, and be told with its id.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from rmimom.cluster.configuration import Configuration, LogPosition


class ChainRead(msgspec.Struct, frozen=True, tag=True):
    """The name server's answer to one `list`: every configuration it knows, by number.

    `seal` is a random word that was never used before; it seals what is registered because of this reading.  Harmless
    when repeated, and welcome every few seconds.
    """

    entries: tuple[Configuration, ...]
    seal: str


class NameServerAway(msgspec.Struct, frozen=True, tag=True):
    """The name server did not answer in time, or answered nonsense; `seal` as in ChainRead."""

    seal: str


class Told(msgspec.Struct, frozen=True, tag=True):
    """Another server says that it holds this configuration: it is decided."""

    configuration: Configuration


class Stored(msgspec.Struct, frozen=True, tag=True):
    """Our own disk holds the log up to here (a snapshot that was installed and synced counts)."""

    position: LogPosition


class Acknowledged(msgspec.Struct, frozen=True, tag=True):
    """Active: a standby's disk holds our log up to here."""

    server: str
    position: LogPosition


class Joined(msgspec.Struct, frozen=True, tag=True):
    """Active: a standby is connected, has what we released, and gets every further batch.

    Its log is part of ours (see `rules.goes_on_from`).  `address` is the URI for the configuration.
    """

    server: str
    address: str
    position: LogPosition


class Lost(msgspec.Struct, frozen=True, tag=True):
    """Active: a standby is disconnected, suspected, too slow, or refuses batches; `why` is for people.

    `for_good`: it cannot come back with the log that it has, and needs a snapshot; so it is no use waiting for it.
    """

    server: str
    why: str
    for_good: bool = False


class Suspected(msgspec.Struct, frozen=True, tag=True):
    """Standby: the active is not heard; `why` is for people."""

    why: str


class Heard(msgspec.Struct, frozen=True, tag=True):
    """Standby: the active is heard again."""


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """Standby: the answer to StopAcknowledging; nothing is under way to our disk, which holds the log up to here."""

    position: LogPosition


class HandOver(msgspec.Struct, frozen=True, tag=True):
    """Active: an operator asks for a switchover to a member.  With `stay` we become a standby, else we leave."""

    to: str
    stay: bool = True


class Drained(msgspec.Struct, frozen=True, tag=True):
    """Active: the answer to StopDeciding; nothing is decided beyond this position, which is on our disk."""

    position: LogPosition


class Force(msgspec.Struct, frozen=True, tag=True):
    """An operator takes the responsibility: become active, whoever else may be.  May lose what was confirmed."""


class ConsentAsked(msgspec.Struct, frozen=True, tag=True):
    """The active proposes the next configuration without the name server; `given` are those who consented so far."""

    configuration: Configuration
    given: tuple[str, ...]


class ConsentGiven(msgspec.Struct, frozen=True, tag=True):
    """Active: a member consented to our proposal."""

    configuration: Configuration
    server: str


Event: TypeAlias = (
    ChainRead
    | NameServerAway
    | Told
    | Stored
    | Acknowledged
    | Joined
    | Lost
    | Suspected
    | Heard
    | Stopped
    | HandOver
    | Drained
    | Force
    | ConsentAsked
    | ConsentGiven
)
