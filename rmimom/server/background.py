"""A server in the background: started, asked and stopped from a command line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from Pyro5 import errors as pyro_errors
from Pyro5.client import Proxy
from Pyro5.core import URI

from rmimom.admin_token import Token, read_token
from rmimom.cluster.role import Role
from rmimom.config import ServerConfig
from rmimom.destination import CLUSTER_NAME
from rmimom.errors import ConfigurationError, JMSError
from rmimom.rmi.exceptions import register_errors
from rmimom.server.exit_codes import ExitCode
from rmimom.server.pidfile import running_pid

LOG_NAME: Final = "rmimom.log"
_LOOK: Final = 0.05
"""Seconds between looks at whether a server has ended, where the system cannot tell by itself."""
_ASK: Final = 5.0
"""Seconds that a server has to answer how it is."""
_SERVING: Final = "\0"
"""The last that a server in the background says to who started it; one that ends before has failed."""


class Told(NamedTuple):
    """How a command ended, and what it has to say: `text` to people, on the standard error unless the code is OK."""

    code: ExitCode
    text: str


def start_in_background(config: ServerConfig, arguments: Sequence[str], log_file: Path, wait: float) -> Told:
    """Start a server with these arguments in a process of its own, and wait until it serves, at most `wait` seconds."""
    running = running_pid(config.pid_path)
    if running is not None:
        return Told(
            ExitCode.DATA, f"a server is running already as process {running}; its pidfile is {config.pid_path}"
        )
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_handle = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}", file=error.filename) from error
    logged_before = log_file.stat().st_size
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "rmimom.server_cli", "--detached", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log_handle,
            start_new_session=True,
        )
    finally:
        os.close(log_handle)
    assert process.stdout is not None
    with process.stdout as pipe:
        said = _read_until_closed(pipe.fileno(), wait)
    if said is None:
        return Told(
            ExitCode.FAILED,
            f"process {process.pid} does not serve after {wait:g} s, but goes on starting; its log is {log_file}",
        )
    said, serving, _ = said.partition(_SERVING)
    if not serving:
        # It ended, or is about to.
        code = process.wait(_ASK)
        with log_file.open("rb") as log:
            log.seek(logged_before)
            logged = log.read().decode("utf-8", "replace").strip()
        return Told(ExitCode(code) if code in list(ExitCode) and code else ExitCode.FAILED, logged)
    # It lives on without us: a process object that is dropped unwaited would warn about that.
    process.returncode = 0
    return Told(ExitCode.OK, f"{said.rstrip()}\n  log          {log_file}")


def _read_until_closed(handle: int, wait: float) -> str | None:
    """What comes until the other side closes; None if it has not after `wait` seconds."""
    deadline = time.monotonic() + wait
    poll = select.poll()
    poll.register(handle, select.POLLIN | select.POLLHUP)
    read = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        data = os.read(handle, 65536)
        if not data:
            return read.decode("utf-8", "replace")
        read += data


def close_standard_output() -> None:
    """Tell who started us in the background that everything is said and done."""
    with contextlib.suppress(OSError):  # who started us waits no longer
        os.write(1, _SERVING.encode("ascii"))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def stop_running(config: ServerConfig, wait: float) -> Told:
    """Ask the running server to stop, and wait until its process has ended, at most `wait` seconds."""
    path = config.pid_path
    pid = running_pid(path)
    if pid is None:
        return Told(ExitCode.FAILED, f"no server is running: nobody holds the pidfile {path}")
    try:
        ended = _terminate(pid, path, wait)
    except ProcessLookupError:
        ended = True
    except PermissionError:
        return Told(ExitCode.FAILED, f"process {pid} belongs to another user; stop it as that user")
    if not ended:
        return Told(
            ExitCode.FAILED,
            f"process {pid} is still stopping after {wait:g} s and its log says why; nothing is lost by kill -9 {pid}",
        )
    return Told(ExitCode.OK, f"stopped process {pid}")


def _terminate(pid: int, path: Path, wait: float) -> bool:
    """True once the process has ended."""
    if not hasattr(os, "pidfd_open"):  # not Linux
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + wait
        while running_pid(path) == pid:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK)
        return True
    # A handle of the process itself: its number cannot come to mean another one meanwhile.
    handle = os.pidfd_open(pid)
    try:
        if running_pid(path) != pid:
            return True
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(wait * 1000))
    finally:
        os.close(handle)


def _proxy(token: Token, uri: str) -> Any:
    proxy = Proxy(uri)
    proxy._pyroTimeout = _ASK
    proxy._pyroHandshake = {"user": token.user, "password": token.password}
    return proxy


def ask_status(config: ServerConfig) -> dict[str, Any]:
    """Whether a server runs on this data directory, and how it is if it answers.

    `running` and `pid` are always there; `answers` says whether the rest came from the server itself.
    """
    pid = running_pid(config.pid_path)
    status: dict[str, Any] = {"running": pid is not None, "pid": pid, "data": str(config.data), "answers": False}
    token = read_token(config.data) if pid is not None else None
    if token is None:
        return status
    register_errors()
    try:
        with _proxy(token, f"PYRO:{CLUSTER_NAME}@{URI(token.uri).location}") as cluster:
            found = cluster.facts()
        if found["role"] == Role.ACTIVE.value:
            with _proxy(token, token.uri) as administration:
                found = administration.status()
        status |= {**found, "answers": True}
    except (pyro_errors.PyroError, OSError, JMSError) as error:
        status["trouble"] = str(error)
    return status
