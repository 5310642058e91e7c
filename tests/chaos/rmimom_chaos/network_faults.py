"""Faults of the network: cut, lossy, held up."""

from __future__ import annotations

from itertools import permutations, product
from typing import ClassVar

from rmimom_chaos.cluster import Cluster, Server
from rmimom_chaos.fault import Fault
from rmimom_chaos.network import CLIENTS, NAMES
from rmimom_chaos.process import ProcessError


class _OfNetwork(Fault):
    needs: ClassVar[str]
    """What the network must be able to do."""

    @classmethod
    def lacks(cls, cluster: Cluster) -> str:
        """Why the network cannot do it."""
        return cluster.network.lacks(cls.needs)

    def heal(self) -> None:
        """Let everything through again."""
        self.network.mend()

    def somebody(self) -> Server:
        """The active server, or any; mostly the active, for that hurts more."""
        active = self.cluster.active()
        if active is not None and self.chance.random() < 0.6:
            return active
        return self.chance.choice(self.cluster.servers)

    def everybody_but(self, server: Server) -> list[str]:
        """All other nodes."""
        return [NAMES, *CLIENTS, *(other.name for other in self.cluster.servers if other is not server)]


class PartitionFull(_OfNetwork):
    """One server from everybody."""

    name = "partition-full"
    summary = "one server is cut off from everybody"
    needs = "cut"

    def inject(self) -> str:
        """Cut both ways."""
        victim = self.somebody()
        for other in self.everybody_but(victim):
            self.network.cut(victim.name, other)
            self.network.cut(other, victim.name)
        return victim.name


class PartitionOneWay(_OfNetwork):
    """One server speaks and is not heard, or hears and is not able to speak."""

    name = "partition-one-way"
    summary = "what one server sends arrives nowhere, or nothing arrives at it"
    needs = "cut"

    def inject(self) -> str:
        """Cut one way."""
        victim = self.somebody()
        mute = self.chance.random() < 0.5
        for other in self.everybody_but(victim):
            self.network.cut(*((victim.name, other) if mute else (other, victim.name)))
        return f"{victim.name}, which {'nobody hears' if mute else 'hears nobody'}"


class PartitionServers(_OfNetwork):
    """The servers from each other."""

    name = "partition-servers"
    summary = "the servers are cut off from each other, not from the name server and the clients"
    needs = "cut"

    def inject(self) -> str:
        """Cut between all servers."""
        if len(self.cluster.servers) < 2:
            raise ProcessError("there is one server")
        for source, target in permutations(self.cluster.servers, 2):
            self.network.cut(source.name, target.name)
        return "all servers"


class PartitionNames(_OfNetwork):
    """One server from the name server."""

    name = "partition-names"
    summary = "one server is cut off from the name server alone"
    needs = "cut"

    def inject(self) -> str:
        """Cut both ways."""
        victim = self.somebody()
        self.network.cut(victim.name, NAMES)
        self.network.cut(NAMES, victim.name)
        return victim.name


class PartitionClients(_OfNetwork):
    """Some of the clients from all servers."""

    name = "partition-clients"
    summary = "half of the clients are cut off from all servers"
    needs = "cut"

    def inject(self) -> str:
        """Cut both ways."""
        victim = self.chance.choice(CLIENTS)
        for server in self.cluster.servers:
            self.network.cut(victim, server.name)
            self.network.cut(server.name, victim)
        return victim


class Loss(_OfNetwork):
    """Packets are lost by chance."""

    name = "loss"
    summary = "packets to all servers are lost by chance, 2 to 30 in a hundred"
    needs = "lose"

    def inject(self) -> str:
        """Lose some of what comes to the servers."""
        share = self.chance.choice((0.02, 0.1, 0.3))
        for server in self.cluster.servers:
            self.network.lose(server.name, share)
        return f"{share:.0%} of what comes to each server"


class Stall(_OfNetwork):
    """Connections stay open, and nothing comes through."""

    name = "stall"
    summary = "connections with one server stay open, and no data comes through, in one way or both"
    needs = "hold"

    def inject(self) -> str:
        """Hold the data."""
        victim = self.somebody()
        both = self.chance.random() < 0.5
        for other in self.everybody_but(victim):
            self.network.hold(other, victim.name)
            if both:
                self.network.hold(victim.name, other)
        return f"{victim.name}, {'both ways' if both else 'what is sent to it'}"


class Delay(_OfNetwork):
    """Everything takes longer."""

    name = "delay"
    summary = "each piece of data to and from the servers comes up to half a second late"
    needs = "delay"

    def inject(self) -> str:
        """Delay all data."""
        seconds = self.chance.choice((0.02, 0.1, 0.5))
        servers = [server.name for server in self.cluster.servers]
        for source, target in product([NAMES, *CLIENTS, *servers], servers):
            self.network.delay(source, target, seconds)
            self.network.delay(target, source, seconds)
        return f"everything by {seconds:g} s"
