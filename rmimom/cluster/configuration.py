"""A configuration: who is active and who is in sync, as one write-once name in the name server.

Configuration k of a cluster is the name `rmimom.cluster.<cluster>.<k>`.  It is registered with `safe=True`, so it is
written once, and its metadata holds everything else.  Stock name servers keep metadata as a set of strings; ours is
a set of one string, with a mark of its version in front, so that it is the same however often it is encoded.

A *seal* is a random word that is new in each call to the name server.  A call arrives at most once, so a name with a
certain seal is in at most one memory of the name server: if configuration k is still there with its seal, the name
server has forgotten nothing since k was decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rmimom.errors import ConfigurationError

_PREFIX: Final = "rmimom.cluster."
_MARK: Final = "rmimom-configuration-1:"
_LARGEST: Final = 16 * 1024
"""Characters of metadata; a configuration of nine servers takes some 1,500."""
_MOST: Final = 10_000
"""Names that are looked at; of a chain some sixteen stay."""
_SERVER_ID: Final = re.compile(r"[0-9a-f]{16}")
_WORD: Final = re.compile(r"[0-9a-f]{8,64}")


class LogPosition(NamedTuple):
    """The last batch of a log, ordered as batches are: the epoch it was made in, and its sequence."""

    epoch: int
    sequence: int


NOWHERE: Final = LogPosition(0, 0)
"""Where an empty log stands."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration `number` of a cluster.

    `chain` is a random word made with configuration 1: two clusters of one name have different chains.  `members` are
    the ids of the servers that hold everything that was ever released, the active first.  `epoch` is the number of the
    configuration in which the active became active (more, if its data directory is older than the chain), and `began`
    where the log stood then: what another server has beyond that, in an older epoch, was never released.
    `addresses` are pairs of server id and URI, sorted.  `forced` means that an operator took the responsibility.
    """

    cluster: str
    chain: str
    number: int
    active: str
    members: tuple[str, ...]
    epoch: int
    began: LogPosition
    why: str
    addresses: tuple[tuple[str, str], ...] = ()
    forced: bool = False
    seal: str = ""

    @property
    def name(self) -> str:
        """Under which name it is registered."""
        return f"{name_prefix(self.cluster)}{self.number}"

    @property
    def standbys(self) -> tuple[str, ...]:
        """The members that are not active."""
        return self.members[1:]

    def address_of(self, server: str) -> str:
        """The URI under which a server can be reached; empty if it is not known."""
        return dict(self.addresses).get(server, "")

    def sealed(self, seal: str) -> Configuration:
        """The same with a seal, for one call to the name server."""
        return msgspec.structs.replace(self, seal=seal)

    def says_the_same_as(self, other: Configuration) -> bool:
        """Whether only the seals differ."""
        return self == other.sealed(self.seal)


def name_prefix(cluster: str) -> str:
    """With what the names of a cluster's configurations begin; what follows is the number."""
    return f"{_PREFIX}{cluster}."


def encode(configuration: Configuration) -> set[str]:
    """The metadata of its name: always the same for the same configuration."""
    return {_MARK + msgspec.json.encode(configuration).decode()}


def decode(cluster: str, name: str, metadata: Iterable[object]) -> Configuration:
    """The configuration under a name; raises ConfigurationError if what the name server holds is not one."""
    found = list(metadata)
    if len(found) != 1 or not isinstance(found[0], str) or not found[0].startswith(_MARK):
        raise _nonsense(name, "its metadata is not one text that begins with " + _MARK)
    if len(found[0]) > _LARGEST:
        raise _nonsense(name, f"it has {len(found[0])} characters, at most {_LARGEST} are read")
    try:
        configuration = msgspec.json.decode(found[0][len(_MARK) :], type=Configuration)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _nonsense(name, str(error)) from error
    if complaint := _complaint(cluster, name, configuration):
        raise _nonsense(name, complaint)
    return configuration


def decode_chain(cluster: str, names: Mapping[str, Any]) -> tuple[Configuration, ...]:
    """All configurations of a cluster, by number, from the answer of the name server's `list` with metadata.

    `names` maps a name to its URI and its metadata.  Names that only look alike (of a cluster `a.1` beside `a`) are
    passed over.  Raises ConfigurationError if one is nonsense.
    """
    if len(names) > _MOST:
        raise ConfigurationError(
            f"the name server holds {len(names)} names for the configurations of cluster {cluster}, at most {_MOST} "
            "are read; find out who wrote them and remove them",
            cluster=cluster,
        )
    prefix = name_prefix(cluster)
    chain = []
    for name, value in names.items():
        if not name.startswith(prefix) or not re.fullmatch(r"[1-9][0-9]{0,17}", name[len(prefix) :], re.ASCII):
            continue
        if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[1], Iterable):
            raise _nonsense(name, "the name server gave no metadata with it")
        chain.append(decode(cluster, name, value[1]))
    return tuple(sorted(chain, key=lambda configuration: configuration.number))


def _complaint(cluster: str, name: str, found: Configuration) -> str:
    servers = [server for server, _ in found.addresses]
    rules = (
        (found.cluster == cluster, f"it is of cluster {found.cluster!r}"),
        (found.number >= 1 and found.name == name, f"it says that its number is {found.number}"),
        (bool(_WORD.fullmatch(found.chain)), "its chain is not a word of hexadecimal digits"),
        (bool(_WORD.fullmatch(found.seal)), "its seal is not a word of hexadecimal digits"),
        (all(map(_SERVER_ID.fullmatch, (*found.members, *servers))), "a server id is not 16 hexadecimal digits"),
        (found.members[:1] == (found.active,), "the active is not the first of its members"),
        (len(set(found.members)) == len(found.members), "a member is named twice"),
        (servers == sorted(set(servers)), "its addresses are not sorted, or one is there twice"),
        (found.epoch >= 1, f"its epoch is {found.epoch}"),
        (found.began >= NOWHERE and found.began.epoch < found.epoch, "its epoch began before the one before it"),
        (found.began.sequence >= 0, "its log began before the first batch"),
    )
    return next((complaint for holds, complaint in rules if not holds), "")


def _nonsense(name: str, complaint: str) -> ConfigurationError:
    return ConfigurationError(
        f"the name server holds nonsense under {name}: {complaint}; find out who wrote it and remove the name",
        name=name,
    )
