"""Faults of processes: killed, paused, and started again."""

from __future__ import annotations

from typing import ClassVar

from rmimom_chaos.casts import CASTS
from rmimom_chaos.cluster import Server
from rmimom_chaos.fault import Fault
from rmimom_chaos.process import ProcessError


class _OfServers(Fault):
    """Done to some servers."""

    victims: list[Server]
    role: ClassVar[str] = ""

    def choose(self) -> list[Server]:
        """The servers that it is done to."""
        active = self.cluster.active()
        if self.role == "active":
            if active is None:
                raise ProcessError("no server is active")
            return [active]
        standbys = self.cluster.standbys()
        if not standbys:
            raise ProcessError("no standby runs")
        return [self.chance.choice(standbys)]

    def inject(self) -> str:
        """Do it to the servers chosen."""
        self.victims = self.choose()
        for server in self.victims:
            self.harm(server)
        return " and ".join(server.name for server in self.victims)

    def harm(self, server: Server) -> None:
        """Do it to one."""
        raise NotImplementedError


class _Kill(_OfServers):
    def harm(self, server: Server) -> None:
        """SIGKILL."""
        self.cluster.kill(server)

    def heal(self) -> None:
        """Start them again as standbys: an active one comes back as whatever it is by then."""
        for server in self.victims:
            self.cluster.start_server(server, wait=False)


class KillActive(_Kill):
    """The active."""

    name = "kill-active"
    summary = "SIGKILL of the active server, which comes back as a standby"
    role = "active"


class KillStandby(_Kill):
    """A standby."""

    name = "kill-standby"
    summary = "SIGKILL of a standby, which comes back"
    role = "standby"


class KillBoth(_Kill):
    """All of them."""

    name = "kill-both"
    summary = "SIGKILL of all servers, which come back"

    def choose(self) -> list[Server]:
        """All that run."""
        return [server for server in self.cluster.servers if server.process is not None]


class _Pause(_OfServers):
    def harm(self, server: Server) -> None:
        """SIGSTOP."""
        server.running.pause()

    def heal(self) -> None:
        """SIGCONT."""
        for server in self.victims:
            server.running.resume()


class PauseActive(_Pause):
    """The active."""

    name = "pause-active"
    summary = "SIGSTOP of the active server, which wakes up after a while"
    role = "active"


class PauseStandby(_Pause):
    """A standby."""

    name = "pause-standby"
    summary = "SIGSTOP of a standby, which wakes up after a while"
    role = "standby"


class NameServerRestart(Fault):
    """The name server, which remembers."""

    name = "nameserver-restart"
    summary = "SIGKILL of the name server, which comes back with its memory"
    forget = False

    def inject(self) -> str:
        """SIGKILL."""
        self.cluster.stop_names(forget=self.forget)
        return "the name server"

    def heal(self) -> None:
        """Start it again."""
        self.cluster.start_names()


class NameServerForgets(NameServerRestart):
    """The name server, which forgets."""

    name = "nameserver-forgets"
    summary = "SIGKILL of the name server, which comes back empty"
    forget = True


class KillClients(Fault):
    """Clients."""

    name = "kill-clients"
    summary = "SIGKILL of a process of clients; others take over its work"

    def inject(self) -> str:
        """SIGKILL."""
        self._cast = self.chance.choice(sorted(CASTS))
        self.crew.kill_client(self._cast)
        return self._cast

    def heal(self) -> None:
        """Start others."""
        self.crew.start_client(self._cast)
