"""Looks at the cluster during a run, and tells the history who is active in which epoch."""

from __future__ import annotations

import threading

import Pyro5.api
from Pyro5.errors import PyroError

from rmimom.cluster.configuration import decode_chain, name_prefix
from rmimom.errors import JMSError
from rmimom_chaos.cluster import Cluster
from rmimom_chaos.history import INFO
from rmimom_chaos.recorder import Recorder

INTERVAL = 0.2
"""Seconds between two looks."""
CLUSTER = "rmimom"


class Watch:
    """Asks the servers, and the chain in the name server, in a thread of its own; use it in a `with` statement."""

    def __init__(self, cluster: Cluster, recorder: Recorder) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._told: set[tuple[str, str, int]] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            for server in self._cluster.servers:
                facts = self._cluster.facts(server)
                if facts.get("epoch"):
                    self._tell(server.name, facts["server_id"], facts["epoch"])
            self._read_chain()

    def _read_chain(self) -> None:
        try:
            with Pyro5.api.Proxy(f"PYRO:Pyro.NameServer@{self._cluster.nameserver}") as proxy:
                proxy._pyroTimeout = 1.0
                chain = decode_chain(CLUSTER, proxy.list(prefix=name_prefix(CLUSTER), return_metadata=True))
        except (PyroError, JMSError, OSError):
            return  # it may be away
        for configuration in chain:
            self._tell("names", configuration.active, configuration.epoch)

    def _tell(self, process: str, server: str, epoch: int) -> None:
        if (process, server, epoch) not in self._told:
            self._told.add((process, server, epoch))
            self._recorder.note(process, INFO, "own", server=server, epoch=epoch)
