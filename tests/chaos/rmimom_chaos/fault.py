"""A fault: something that is done to a cluster, and undone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import ClassVar

from rmimom_chaos.cluster import Cluster
from rmimom_chaos.crew import Crew


class Fault:
    """One fault; an object is used once.  `name` is what it is called in options, histories and reports."""

    name: ClassVar[str]
    summary: ClassVar[str]

    def __init__(self, crew: Crew, chance: random.Random) -> None:
        self.crew = crew
        self.cluster = crew.cluster
        self.network = crew.cluster.network
        self.chance = chance

    @classmethod
    def lacks(cls, cluster: Cluster) -> str:
        """Why it cannot be done here; empty if it can."""
        del cluster
        return ""

    @classmethod
    def prepare(cls, cluster: Cluster) -> Callable[[], None] | None:
        """Do what must be done before the cluster starts; returns what must be done after its end, if anything."""
        del cluster
        return None

    def inject(self) -> str:
        """Do it; returns what it was done to, for people.  Raises ProcessError if there is nothing to do it to."""
        raise NotImplementedError

    def heal(self) -> None:
        """Undo it; what it was done to need not have come back when this returns."""
        raise NotImplementedError
