"""What a coordinator has done with its process."""

from __future__ import annotations

from typing import Protocol

from rmimom.cluster.configuration import Configuration
from rmimom.follower import Follower
from rmimom.snapshot import Position


class Roles(Protocol):
    """Who makes this process an active server or a standby.  One method is called at a time."""

    @property
    def follower(self) -> Follower:
        """The log, while this server is not active."""
        ...

    async def become_active(self, configuration: Configuration) -> None:
        """Serve in the epoch of the configuration."""
        ...

    async def step_down(self, why: str) -> None:
        """Serve no more, and hold the log as a follower again."""
        ...

    async def follow(self, configuration: Configuration) -> None:
        """Another server is active: listen to its heartbeat."""
        ...

    async def stop_deciding(self) -> Position:
        """Let commands wait, and answer where the log ends when all is on disk."""
        ...

    def resume_deciding(self) -> None:
        """Go on as before `stop_deciding`."""
        ...

    def give_up(self, error: BaseException) -> None:
        """This server cannot go on: with its data, in this cluster, or in a new role."""
        ...
