"""What a server says once everything is up: to people in a few lines, to scripts in a file."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

import msgspec

import rmimom
from rmimom.access import ADMINISTRATOR
from rmimom.config import ServerConfig
from rmimom.destination import FACTORY_NAME
from rmimom.errors import ConfigurationError
from rmimom.server.service import Recovered, Server

MOST_NAMES: Final = 12
"""Names that are listed; of more only the number is told."""


def banner(server: Server) -> str:
    """The lines for people, with the administrator's password if this start made it."""
    config = server.config
    recovered = server.recovered
    if recovered is None:
        return _standby_banner(server)
    rows = [
        ("address", server.place.location),
        *_http_rows(server),
        *[(title, f"{host}:{port}") for title, host, port in server.stomp_addresses()],
        ("data", _data_text(config, recovered)),
        ("recovered", _recovered_text(recovered)),
        ("name server", _nameserver_text(server)),
        *[("" if number else "names", name) for number, name in enumerate(_name_lines(server))],
        ("to stop", f"Ctrl-C, or: rmimom-server stop {stop_options(config)}"),
    ]
    if server.reign is not None and server.reign.first_password is not None:
        password = server.reign.first_password
        rows.append(("login", f"{ADMINISTRATOR} with the password {password}  (shown only this once)"))
    head = f"rmimom-server {rmimom.__version__} is {server.role.value} in epoch {server.epoch} of {config.cluster}"
    return "\n".join([head, *(f"  {title:<12} {text}" for title, text in rows)])


def _standby_banner(server: Server) -> str:
    config = server.config
    rows = [
        ("address", server.place.location),
        *_http_rows(server),
        ("data", str(config.data)),
        ("name server", config.nameserver),
        ("to stop", f"Ctrl-C, or: rmimom-server stop {stop_options(config)}"),
    ]
    head = f"rmimom-server {rmimom.__version__} is a standby of {config.cluster}"
    return "\n".join([head, *(f"  {title:<12} {text}" for title, text in rows)])


def _http_rows(server: Server) -> list[tuple[str, str]]:
    return [("HTTP", server.http.location)] if server.http is not None else []


def stop_options(config: ServerConfig) -> str:
    """The options with which `stop` finds this server."""
    return shlex.join(["--pidfile", str(config.pidfile)] if config.pidfile else ["--data", str(config.data)])


def _data_text(config: ServerConfig, recovered: Recovered) -> str:
    if config.store == "memory":
        return "in memory: nothing survives a stop"
    return f"{config.data} ({_size_text(recovered.bytes_used)})"


def _recovered_text(recovered: Recovered) -> str:
    counts = [
        _count(recovered.messages, "message"),
        _count(recovered.queues, "queue"),
        _count(recovered.topics, "topic"),
        _count(recovered.subscriptions, "durable subscription"),
    ]
    return f"{', '.join(counts)} in {recovered.seconds:.2f} s"


def _nameserver_text(server: Server) -> str:
    registration = server.registration()
    if registration is None:
        return "none: clients need the URI " + server.place.uri_for(FACTORY_NAME)
    if registration.trouble:
        return f"{registration.nameserver} does not answer; the server tries again until it does"
    if not registration.complete:
        return f"{registration.nameserver}, registration is under way"
    embedded = server.embedded
    if embedded is None:
        return registration.nameserver
    kept = f"names kept in {embedded.file}" if embedded.file else "names in memory"
    return f"{registration.nameserver}, started here because none answered; {kept}"


def _name_lines(server: Server) -> list[str]:
    registration = server.registration()
    if registration is None or not registration.complete or server.reign is None:
        return []
    names = server.reign.names()
    if len(names) > MOST_NAMES:
        return [*names[: MOST_NAMES - 1], f"and {len(names) - MOST_NAMES + 1} more"]
    return names


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size_text(size: int) -> str:
    value, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


class Ready(msgspec.Struct, frozen=True):
    """What a ready file holds, as JSON."""

    pid: int
    host: str
    port: int
    nameserver: str | None
    server_id: str
    epoch: int
    data: str
    version: str
    stomp: dict[str, int] = {}
    http: int = 0


def write_ready_file(path: Path, server: Server) -> None:
    """Tell scripts that the server serves, and where.  Raises ConfigurationError if the file cannot be written."""
    config = server.config
    ready = Ready(
        pid=os.getpid(),
        host=config.host,
        port=server.port,
        nameserver=config.nameserver or None,
        server_id=server.server_id,
        epoch=server.epoch,
        data=str(config.data),
        version=rmimom.__version__,
        stomp=server.stomp_ports(),
        http=server.http.port if server.http is not None else 0,
    )
    # Written beside and moved: whoever waits for the file finds it whole.
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_bytes(msgspec.json.encode(ready) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write --ready-file {path}: {error.strerror}", file=str(path)) from error
