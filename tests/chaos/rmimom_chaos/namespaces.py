"""A network of namespaces: each node has its own, joined by a bridge, with rules that drop packets.  Needs root.

Everything is made under names that begin with our own process's number, so that what a killed harness left is known,
and is swept away by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rmimom_chaos.network import MAIN, OBSERVER, STOMP

PREFIX = "rmimom-chaos-"
DIRECTORY = Path("/run/netns")
PORTS = {MAIN: 61611, STOMP: 61613}
LARGE = 100
"""Bytes of a packet above which it carries data, and not only keeps a connection open."""
_NEW_NETWORK = 0x40000000


class Namespaces:
    """See `rmimom_chaos.network.Network`."""

    kind = "namespaces"

    def __init__(self) -> None:
        self._tag = f"{PREFIX}{os.getpid()}-"
        self._addresses: dict[str, str] = {}
        self._rules: dict[str, list[str]] = {}
        self._home: int | None = None

    @staticmethod
    def missing() -> str:
        """Why there can be none here; empty if there can."""
        if os.geteuid() != 0:
            return "making network namespaces needs root"
        lacking = [command for command in ("ip", "nft") if shutil.which(command) is None]
        return f"there is no command {' and no command '.join(lacking)}" if lacking else ""

    def open(self, nodes: Sequence[str]) -> None:
        """Make the namespaces; raises OSError if that cannot be.  This thread is at the node of the observer then."""
        sweep()
        switch = self._tag + "switch"
        self._ip("netns", "add", switch)
        self._ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        self._ip("-n", switch, "link", "set", "bridge", "up")
        for number, node in enumerate([*nodes, OBSERVER], 1):
            space = self._tag + node
            address = self._addresses[node] = f"10.213.0.{number}"
            self._rules[node] = []
            self._ip("netns", "add", space)
            self._ip("link", "add", f"port{number}", "netns", switch, "type", "veth", "peer", "eth", "netns", space)
            self._ip("-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
            self._ip("-n", space, "address", "add", f"{address}/24", "dev", "eth")
            for device in ("eth", "lo"):
                self._ip("-n", space, "link", "set", device, "up")
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        with (DIRECTORY / (self._tag + OBSERVER)).open() as space_file:
            _enter(space_file.fileno())

    def close(self) -> None:
        """Take all of it away."""
        if self._home is not None:
            _enter(self._home)
            os.close(self._home)
            self._home = None
        for path in DIRECTORY.glob(self._tag + "*"):
            self._ip("netns", "delete", path.name)

    def lacks(self, ability: str) -> str:
        """Why it cannot do something; empty if it can."""
        return "packets can be dropped here, but not delayed: that takes --network proxy" if ability == "delay" else ""

    def binds(self, node: str) -> str:
        """The address of a node."""
        return self._addresses[node]

    def port(self, node: str, service: str = MAIN) -> int:
        """The same for all nodes: each has its own address."""
        del node
        return PORTS[service]

    def reaches(self, node: str) -> str:
        """The address of a node."""
        return self._addresses[node]

    def prefix(self, node: str) -> list[str]:
        """Run it in the namespace of the node."""
        return ["ip", "netns", "exec", self._tag + node]

    def started(self, node: str, pid: int) -> None:
        """Nothing has to be known of processes."""

    def cut(self, source: str, target: str) -> None:
        """Drop packets from one node to another."""
        self._drop(target, f"ip saddr {self._addresses[source]}")

    def hold(self, source: str, target: str) -> None:
        """Drop packets with data: they are sent again and again until this ends, and the connection stays."""
        self._drop(target, f"ip saddr {self._addresses[source]} meta length > {LARGE}")

    def delay(self, source: str, target: str, seconds: float) -> None:
        """See `lacks`."""
        raise NotImplementedError(self.lacks("delay"))

    def lose(self, node: str, share: float) -> None:
        """Drop packets that come to a node by chance."""
        self._drop(node, f"iifname eth numgen random mod 1000 < {round(share * 1000)}")

    def mend(self) -> None:
        """Drop nothing any more."""
        for node, rules in self._rules.items():
            if rules:
                rules.clear()
                self._apply(node)

    def _drop(self, node: str, rule: str) -> None:
        self._rules[node].append(rule)
        self._apply(node)

    def _apply(self, node: str) -> None:
        lines = "\n".join(f"{rule} drop" for rule in self._rules[node])
        table = "table inet chaos"
        rules = (
            f"{table}\ndelete {table}\n"
            f"{table} {{\nchain input {{\ntype filter hook input priority 0; policy accept;\n{lines}\n}}\n}}\n"
        )
        _run(["ip", "netns", "exec", self._tag + node, "nft", "-f", "-"], rules)

    def _ip(self, *arguments: str) -> None:
        _run(["ip", *arguments])


def sweep() -> None:
    """Delete the namespaces of harnesses that are not there any more."""
    for path in DIRECTORY.glob(PREFIX + "*"):
        found = re.match(rf"{PREFIX}(\d+)-", path.name)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            with contextlib.suppress(OSError):  # another harness sweeps as well
                _run(["ip", "netns", "delete", path.name])


def _run(command: Sequence[str], text: str = "") -> None:
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=20)
    if run.returncode:
        raise OSError(f"{' '.join(command)}: {run.stderr.strip()}")


def _enter(space: int) -> None:
    """Bring this thread, and those that it starts, into a network namespace."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(space, _NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
