"""All processes of a run: the cluster and its clients."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rmimom_chaos.casts import CASTS, NODES, SENDERS
from rmimom_chaos.cluster import PASSWORD, USER, Cluster
from rmimom_chaos.process import Process, ProcessError

HARNESS = "harness.jsonl"
"""What the harness itself writes, beside them."""


class Crew:
    """The clients, each process under the name of its cast; they write their histories into `directory`.

    `protocol` is one of `PROTOCOLS`.
    """

    def __init__(self, cluster: Cluster, seed: int, rate: float, protocol: str) -> None:
        self.cluster = cluster
        self.directory = cluster.directory / "history"
        self.directory.mkdir()
        self.clients: dict[str, Process] = {}
        self._seed = seed
        self._rate = rate / 6
        self._protocol = protocol
        self._incarnations = dict.fromkeys(CASTS, 0)

    @property
    def histories(self) -> list[Path]:
        """The files that clients have written."""
        return sorted(self.directory.glob("*.jsonl"))

    def least_written(self) -> int:
        """How many bytes of history the laziest process of clients has written."""
        written = [history.stat().st_size for history in self.histories if history.name != HARNESS]
        return min(written) if len(written) >= len(self.clients) else 0

    def start(self) -> None:
        """Start all clients."""
        for cast in CASTS:
            self.start_client(cast)

    def start_client(self, cast: str) -> None:
        """Start the clients of one process, as new ones."""
        self._incarnations[cast] += 1
        number = self._incarnations[cast]
        cluster = self.cluster
        arguments = ["--cast", cast, "--incarnation", str(number), "--seed", str(self._seed)]
        arguments += ["--rate", str(self._rate), "--nameserver", cluster.nameserver]
        for server in cluster.servers:
            arguments += ["--stomp", cluster.stomp(server)]
        arguments += ["--protocol", self._protocol, "--user", USER, "--password", PASSWORD]
        # A callback would pass by the proxies.
        arguments += ["--delivery", "pull" if cluster.network.kind == "proxy" else ""]
        arguments += ["--history", str(self.directory / f"{cast}.{number}.jsonl")]
        self.clients[cast] = cluster.spawn(
            NODES[cast],
            f"the clients {cast}",
            ["-m", "rmimom_chaos.worker", *arguments],
            cluster.directory / f"{cast}.log",
        )

    def kill_client(self, cast: str) -> None:
        """SIGKILL."""
        self.clients[cast].kill()

    def stop_sending(self) -> None:
        """Let them send no more, and wait until all that was sent is confirmed: before that nothing is drained.

        Raises ProcessError if one has failed, or takes too long.
        """
        for client in self.clients.values():
            client.say("stop-sending")
        self._wait_for([self.clients[cast] for cast in SENDERS])

    def end(self) -> None:
        """Let them go; raises ProcessError if one has failed."""
        for client in self.clients.values():
            client.say("end")
        self._wait_for(self.clients.values())

    def _wait_for(self, clients: Iterable[Process]) -> None:
        failed = [client.name for client in clients if client.wait()]
        if failed:
            raise ProcessError(f"{', '.join(failed)} failed; see the logs in {self.cluster.directory}")

    def check(self) -> None:
        """Raises ProcessError if clients or servers have ended by themselves."""
        for client in self.clients.values():
            if not client.alive:
                raise ProcessError(f"{client.name} ended by themselves with code {client.code}; see {client.log}")
        for server in self.cluster.servers:
            if server.process is not None and not server.process.alive:
                code = server.process.code
                raise ProcessError(f"server {server.name} ended by itself with code {code}; see {server.log}")

    def stop(self) -> None:
        """Kill what still runs."""
        for client in self.clients.values():
            client.kill()
        self.cluster.stop()
