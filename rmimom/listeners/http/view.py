"""What the HTTP interface sees of the server that it belongs to, whatever that server's role is."""

from __future__ import annotations

from typing import Protocol

from rmimom.access import Access, Identity
from rmimom.clock import Clock
from rmimom.config import ServerConfig
from rmimom.engine import Engine
from rmimom.records import UserPut
from rmimom.store.base import StoreStatistics


class Cluster(Protocol):
    """The cluster, as one of its servers can be asked for it (see `rmimom.coordination.control`)."""

    @property
    def exists(self) -> bool:
        """Whether the server has a cluster."""
        ...

    def status(self) -> dict[str, object]:
        """The cluster as this server sees it.  Raises IllegalStateError for a server without one."""
        ...

    async def switch_over(self, to: str | None = None) -> dict[str, object]:
        """Let a standby become active; answers the status afterwards.  Raises IllegalStateError."""
        ...

    async def promote(self, *, force: bool) -> dict[str, object]:
        """Make this server active, whatever it lacks; answers the status afterwards.  Raises IllegalStateError."""
        ...


class ServerView(Protocol):
    """The server, as the assembly shows it.  A server that is not active has neither engine nor access."""

    @property
    def config(self) -> ServerConfig:
        """The settings."""
        ...

    @property
    def clock(self) -> Clock:
        """The time of day."""
        ...

    @property
    def engine(self) -> Engine | None:
        """The engine while this server is active."""
        ...

    @property
    def access(self) -> Access | None:
        """The users while this server is active."""
        ...

    @property
    def active(self) -> str:
        """Where the active server of the cluster is, as text for people; empty if that is not known."""
        ...

    @property
    def active_http(self) -> str:
        """Where the active server serves HTTP, as the beginning of a URL; empty if that is not known."""
        ...

    @property
    def cluster(self) -> Cluster:
        """The cluster that the server belongs to."""
        ...

    def facts(self) -> dict[str, object]:
        """What is told of the server as a whole."""
        ...

    async def authenticate(self, user: str, password: str) -> Identity:
        """Who this is.  Raises JMSSecurityError, or ResourceAllocationError in a crowd."""
        ...

    async def user(self, name: str) -> UserPut | None:
        """A user by name, as this server knows it now."""
        ...

    async def store(self) -> StoreStatistics | None:
        """A reading of the store, or None if it cannot be asked now."""
        ...
