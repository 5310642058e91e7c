"""What a member of a cluster wants done, in this order; see `member.handle`.

An action that fails is not told as such: the connection is lost, the name server away, or the disk broken (then the
process ends).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from rmimom.cluster.configuration import Configuration, LogPosition


class Persist(msgspec.Struct, frozen=True, tag=True):
    """Write `held` and `promise` to the data directory, with fsync, *before* any action that follows."""

    held: Configuration | None
    promise: Configuration | None


class ReadChain(msgspec.Struct, frozen=True, tag=True):
    """List the configurations at the name server soon: the answer is ChainRead or NameServerAway.

    After NameServerAway it is for the server to ask again, with backoff, while `rules.waits_for_witness`.
    """


class Register(msgspec.Struct, frozen=True, tag=True):
    """Register the configuration with `safe=True`, in exactly one call, then list: ChainRead or NameServerAway.

    Never repeat the call, nor let a library do it.  Whether it succeeded does not matter: the list tells.
    """

    configuration: Configuration


class Remove(msgspec.Struct, frozen=True, tag=True):
    """Remove the name of a configuration that is long superseded, in one call; no matter whether that succeeds."""

    configuration: Configuration


class BecomeActive(msgspec.Struct, frozen=True, tag=True):
    """Serve in epoch `configuration.epoch`: register names, open listeners, accept standbys."""

    configuration: Configuration


class StepDown(msgspec.Struct, frozen=True, tag=True):
    """Serve no more, at once: release nothing, close clients, forget memory that is ahead of the disk."""

    why: str


class Follow(msgspec.Struct, frozen=True, tag=True):
    """Connect to the active of this configuration and take batches from nobody else; say hello with what we hold.

    With `hint` it is only a rumour: connect and ask, change nothing on the disk before something was told.
    """

    configuration: Configuration
    hint: bool = False


class StopAcknowledging(msgspec.Struct, frozen=True, tag=True):
    """Take no more batches from the active, finish what is under way to the disk, then say Stopped."""


class Acknowledge(msgspec.Struct, frozen=True, tag=True):
    """Tell the active that our disk holds its log up to here."""

    position: LogPosition


class Release(msgspec.Struct, frozen=True, tag=True):
    """Tell the effects of all batches up to here."""

    position: LogPosition


class StopDeciding(msgspec.Struct, frozen=True, tag=True):
    """Handle no more commands, let them wait; when everything decided is on our disk, say Drained."""


class ResumeDeciding(msgspec.Struct, frozen=True, tag=True):
    """The switchover will not happen: handle commands again."""

    why: str


class Reconfigured(msgspec.Struct, frozen=True, tag=True):
    """Active: the members changed, nothing else.  For the coordination topic and the log."""

    configuration: Configuration


class AskConsent(msgspec.Struct, frozen=True, tag=True):
    """Send ConsentAsked to a server."""

    server: str
    configuration: Configuration
    given: tuple[str, ...]


class GiveConsent(msgspec.Struct, frozen=True, tag=True):
    """Send ConsentGiven to a server."""

    server: str
    configuration: Configuration


class Tell(msgspec.Struct, frozen=True, tag=True):
    """Send Told to a server."""

    server: str
    configuration: Configuration


class Refuse(msgspec.Struct, frozen=True, tag=True):
    """What is wished cannot be done now; `why` says what would have to change.

    `final`: this server cannot go on, and with `data` that is because of its data directory.
    """

    why: str
    final: bool = False
    data: bool = False


class Report(msgspec.Struct, frozen=True, tag=True):
    """Something for the log, at warning level; `loud` at error level."""

    text: str
    loud: bool = False


Action: TypeAlias = (
    Persist
    | ReadChain
    | Register
    | Remove
    | BecomeActive
    | StepDown
    | Follow
    | StopAcknowledging
    | Acknowledge
    | Release
    | StopDeciding
    | ResumeDeciding
    | Reconfigured
    | AskConsent
    | GiveConsent
    | Tell
    | Refuse
    | Report
)
