"""rmimom-admin in this process, against the HTTP interface of an engine in a thread of this process.

    with desk() as at:
        at.run("queue", "create", "orders").stdout
        at.script(text)          # a conversation: `$ rmimom-admin ...` and what it shows; the same text if all is well

The clock is the test's, so what is shown is the same each time.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import shlex
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner, Result
from support.http import ADMIN, Room, in_room
from support.processes import TIME_LIMIT

from rmimom.admin.cli import main
from rmimom.core.state import Rules
from rmimom.listeners.http.serving import make_server

T = TypeVar("T")

# What is by chance, and how it is written instead.
_CHANCE = [
    (re.compile(r"ID:http-[0-9a-f]{16}-"), "ID:http-"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://server"),
    (re.compile(r'"(commands|batches|records)": \d+'), r'"\1": 0'),
]


class Desk:
    """Somebody at a command line, and the server that is looked at."""

    def __init__(self, url: str, room: Room, loop: asyncio.AbstractEventLoop, home: Path) -> None:
        self.url = url
        self.room = room
        self.home = home
        self._loop = loop

    def run(self, *arguments: object, text: str | bytes | None = None, **variables: str) -> Result:
        """Run rmimom-admin as an administrator."""
        return run_admin("--url", self.url, *arguments, home=self.home, text=text, **variables)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the server."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(TIME_LIMIT)

    def script(self, text: str) -> str:
        """Carry out each command of a text, and return the text with what they show now.

        `$ rmimom-admin ...` is a command, and lines `< ...` behind it its standard input.  What it writes to its error
        output begins with `! `, and `exit N` stands for an exit code other than 0.  `#` behind an empty line begins
        a remark.
        """
        told: list[str] = []
        lines = text.splitlines()
        between = True
        while lines:
            line = lines.pop(0)
            if self._parts(line, lines) or (line.startswith("#") and between):
                told.append(line)
                between = True
                continue
            between = False
            if line.startswith("$ rmimom-admin "):
                told.append(line)
                given: list[str] = []
                while lines and lines[0].startswith("< "):
                    given.append(lines.pop(0))
                told += given
                typed = "".join(entry[2:] + "\n" for entry in given)
                told += self._shown(self.run(*shlex.split(line)[2:], text=typed))
        return "\n".join(told) + "\n"

    @staticmethod
    def _parts(line: str, rest: list[str]) -> bool:
        """Whether the line is an empty one between conversations, and not of what a command showed."""
        return not line and (not rest or rest[0].startswith(("$", "#")))

    def _shown(self, ended: Result) -> list[str]:
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        told = ended.stdout.splitlines() + [f"! {line}".rstrip() for line in ended.stderr.splitlines()]
        told = [line.replace(str(self.home), "~") for line in told]
        for pattern, instead in _CHANCE:
            told = [pattern.sub(instead, line) for line in told]
        return told + ([f"exit {ended.exit_code}"] if ended.exit_code else [])


def run_admin(*arguments: object, home: Path, text: str | bytes | None = None, **variables: str) -> Result:
    """Run rmimom-admin in this process, in a clean environment with the password of the administrator."""
    unset: Mapping[str, None] = {name: None for name in os.environ if name.startswith(("RMIMOM", "XDG"))}
    environment = {**unset, "HOME": str(home), "RMIMOM_ADMIN_PASSWORD": ADMIN[1], "COLUMNS": "200", **variables}
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], input=text, env=environment, prog_name="rmimom-admin"
    )


@contextmanager
def desk(home: Path, rules: Rules | None = None) -> Iterator[Desk]:
    """A server in a thread, and a command line."""
    ready: queue.Queue[tuple[Room, asyncio.AbstractEventLoop, asyncio.Event] | BaseException] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as door:

        async def serve(room: Room) -> None:
            server = make_server(room.app)
            serving = asyncio.create_task(server.serve(sockets=[door]))
            ended = asyncio.Event()
            ready.put((room, asyncio.get_running_loop(), ended))
            await ended.wait()
            server.should_exit = True
            await serving

        def live() -> None:
            try:
                in_room(serve, rules)
            except BaseException as error:
                ready.put(error)
                raise

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        begun = ready.get(timeout=TIME_LIMIT)
        if isinstance(begun, BaseException):
            raise begun
        room, loop, ended = begun
        try:
            yield Desk(f"http://127.0.0.1:{door.getsockname()[1]}", room, loop, home)
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join(TIME_LIMIT)
