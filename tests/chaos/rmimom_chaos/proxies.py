"""A network of TCP proxies on loopback addresses, for everybody on Linux: one before each service of each node.

A proxy knows who connects by asking the system which process has the other end, so it can treat each pair of nodes
by itself.  What is cut is not closed: bytes wait, as they do in a network that loses packets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from rmimom_chaos.network import MAIN, OBSERVER, SERVICES
from rmimom_chaos.socket_table import inode_of

PIECE = 65536


class Proxies:
    """See `rmimom_chaos.network.Network`."""

    kind = "proxy"

    def __init__(self) -> None:
        self._first = f"127.{os.getpid() % 200 + 20}.{random.randrange(1, 250)}"
        self._numbers: dict[str, int] = {}
        self._ports: dict[tuple[str, str], int] = {}
        self._pids: dict[str, set[int]] = defaultdict(set)
        self._delays: dict[tuple[str, str], float] = {}
        self._cut: set[tuple[str, str]] = set()
        self._changed = asyncio.Event()
        self._servers: list[asyncio.Server] = []

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Made when it is opened: a network that is only asked what it can do needs none, and nobody closes it.
        return asyncio.new_event_loop()

    @cached_property
    def _thread(self) -> threading.Thread:
        return threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)

    @staticmethod
    def missing() -> str:
        """Why there can be none here; empty if there can."""
        return "" if sys.platform == "linux" else "who has the other end of a connection is found out on Linux only"

    def open(self, nodes: Sequence[str]) -> None:
        """Open the proxies of all nodes; raises OSError if that cannot be."""
        self._thread.start()
        for number, node in enumerate(nodes, 1):
            self._numbers[node] = number
            for service in SERVICES:
                with socket.socket() as probe:
                    probe.bind((self.reaches(node), 0))
                    self._ports[node, service] = probe.getsockname()[1]
                asyncio.run_coroutine_threadsafe(self._serve(node, self._ports[node, service]), self._loop).result(10)

    def close(self) -> None:
        """End all connections."""
        if "_loop" not in self.__dict__:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        if not self._loop.is_closed():
            for server in self._servers:
                server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            # Whoever was cancelled closes its connections in the rounds that follow.
            self._loop.run_until_complete(asyncio.sleep(0.05))
            self._loop.close()

    def lacks(self, ability: str) -> str:
        """Why it cannot do something; empty if it can."""
        return "a TCP proxy has no packets to lose: that takes --network namespaces" if ability == "lose" else ""

    def binds(self, node: str) -> str:
        """The address behind the proxy."""
        return f"{self._first}.{100 + self._numbers[node]}"

    def port(self, node: str, service: str = MAIN) -> int:
        """One that was free."""
        return self._ports[node, service]

    def reaches(self, node: str) -> str:
        """The address of the proxy."""
        return f"{self._first}.{self._numbers[node]}"

    def prefix(self, node: str) -> list[str]:
        """Processes need no help."""
        del node
        return []

    def started(self, node: str, pid: int) -> None:
        """Whoever is this process is at the node."""
        self._pids[node].add(pid)

    def cut(self, source: str, target: str) -> None:
        """Let the bytes wait."""
        self._change(lambda: self._cut.add((source, target)))

    def hold(self, source: str, target: str) -> None:
        """The same: connections through a proxy always stay open."""
        self.cut(source, target)

    def delay(self, source: str, target: str, seconds: float) -> None:
        """Let each piece wait before it is passed on."""
        self._change(lambda: self._delays.update({(source, target): seconds}))

    def lose(self, node: str, share: float) -> None:
        """See `lacks`."""
        raise NotImplementedError(self.lacks("lose"))

    def mend(self) -> None:
        """Let everything through at once."""

        def clear() -> None:
            self._cut.clear()
            self._delays.clear()

        self._change(clear)

    def _change(self, change: Callable[[], object]) -> None:
        async def work() -> None:
            change()
            self._changed.set()
            self._changed.clear()

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)

    async def _serve(self, node: str, port: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            source = self._node_of(writer.get_extra_info("peername"), writer.get_extra_info("sockname"))
            try:
                with contextlib.suppress(OSError):
                    await self._pass_on(source, node, port, reader, writer)
            finally:
                writer.close()

        self._servers.append(await asyncio.start_server(accept, self.reaches(node), port))

    async def _pass_on(
        self, source: str, target: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while (source, target) in self._cut:
            await self._changed.wait()
        behind_reader, behind_writer = await asyncio.open_connection(self.binds(target), port)
        ways = [
            asyncio.create_task(self._copy((source, target), reader, behind_writer)),
            asyncio.create_task(self._copy((target, source), behind_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            behind_writer.close()

    async def _copy(self, way: tuple[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                if way in self._delays:
                    await asyncio.sleep(self._delays[way])
                while way in self._cut:
                    await self._changed.wait()
                writer.write(data)
                await writer.drain()
        # That the connection was closed is not known on the other side of a cut, either.
        while way in self._cut:
            await self._changed.wait()

    def _node_of(self, peer: tuple[str, int], here: tuple[str, int]) -> str:
        """The node whose process has the other end of a connection."""
        inode = inode_of(peer, here)
        for node, pids in self._pids.items():
            if inode and any(_has(pid, inode) for pid in pids):
                return node
        return OBSERVER


def _has(pid: int, inode: int) -> bool:
    """Whether a process has a socket open."""
    with contextlib.suppress(OSError):
        return any(str(path.readlink()) == f"socket:[{inode}]" for path in Path(f"/proc/{pid}/fd").iterdir())
    return False
