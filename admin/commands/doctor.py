"""`rmimom-admin doctor`: what is wrong between this machine and a server, and what to change."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any, Final

import click

from rmimom.admin.columns import EXAMINED
from rmimom.admin.diagnosis import (
    Diagnosis,
    examine_address,
    examine_clock,
    examine_cluster,
    examine_disk,
    examine_files,
    examine_mode,
    examine_names,
    is_loopback,
    of_remark,
)
from rmimom.admin.failure import Failure, harmless
from rmimom.admin.options import output_options
from rmimom.admin.output import Output
from rmimom.admin.tool import Tool, pass_tool
from rmimom.admin.where import find
from rmimom.destination import FACTORY_NAME

PATIENCE: Final = 3.0
"""Seconds that a port may take to answer."""
_MARKS: Final = {"ok": ("ok", "green"), "warning": ("WARN", "yellow"), "error": ("FAIL", "red")}
_EXIT_CODES: Final = {"ok": 0, "warning": 1, "error": 2}


@click.command()
@output_options
@pass_tool
def doctor(tool: Tool, /, out: Output) -> None:
    """Look for what keeps clients from a server, and say which setting to change.

    It looks from this machine: at the HTTP interface and the login, the name server and where that sends clients, the
    ports, the clocks, the disk, the open files, the standbys, and at what the server warns of itself.

    \b
    Exit codes:
      0  all is well
      1  there are warnings
      2  something does not work

    \b
    Examples:
      rmimom-admin doctor
      rmimom-admin --url http://broker.example:8161 --password-file ~/.rmimom-admin doctor --json
    """
    found: list[Diagnosis] = []
    for one in _examine(tool):
        found.append(one)
        if out.for_people:
            # Each as it is found: what is broken may take its time.
            _show(one)
    if not out.for_people:
        out.rows([one._asdict() for one in found], EXAMINED, "")
    click.get_current_context().exit(max(_EXIT_CODES[one.health] for one in found))


def _show(one: Diagnosis) -> None:
    mark, colour = _MARKS[one.health]
    click.echo(f"{click.style(f'{mark:<5}', fg=colour)} {harmless(f'{one.subject}: {one.text}')}")
    if one.advice:
        click.echo(f"      {harmless(one.advice)}")


def _examine(tool: Tool) -> Iterator[Diagnosis]:
    try:
        place = find(tool.given)
        status = tool.client.get("/status")
        now = round(time.time() * 1000)
    except Failure as failure:
        yield Diagnosis("server", "error", failure.format_message(), "see docs/admin.md for how a server is found")
        return
    yield Diagnosis("server", "ok", f"rmimom {status['version']} at {tool.client.url} is {status['role']}")
    if place.data is not None:
        yield examine_mode(place.data.stat().st_mode, str(place.data))
    yield examine_clock(status["started"] + round(status["uptime"] * 1000), now)
    yield examine_address(tool.client.url, status["address"])
    yield _port(status["address"])
    yield from examine_names(status)
    if status["nameserver"] is not None:
        yield from _names(status["nameserver"])
    resources = tool.client.get("/resources")
    yield examine_disk(resources)
    yield examine_files(resources)
    yield from examine_cluster(tool.client.get("/cluster"))
    yield from map(of_remark, tool.client.get("/warnings")["items"])


def _port(address: str) -> Diagnosis:
    """Whether the port answers to which clients are sent."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, ValueError) as error:
        return Diagnosis(
            "port",
            "error",
            f"{address} cannot be reached from here ({error})",
            "see that a firewall lets it through and that the name is known here; --advertise says where it is",
        )
    return Diagnosis("port", "ok", f"{address} can be reached")


def _names(nameserver: str) -> Iterator[Diagnosis]:
    """Ask the name server as a client does."""
    from rmimom.client.manager import ClientConnectionManager
    from rmimom.errors import JMSError

    try:
        uri = ClientConnectionManager(nameserver, None, FACTORY_NAME).find()
    except JMSError as error:
        rest = ""
        if is_loopback(nameserver.rpartition(":")[0] or nameserver):
            rest = "; it is one of the server's own machine: from elsewhere clients need one that they can reach"
        yield Diagnosis("name server", "error", str(error) + rest, "see that it runs, or start it with rmimom-ns")
        return
    yield Diagnosis("name server", "ok", f"{nameserver} knows {FACTORY_NAME}: {_location(uri)}")
    yield _port(_location(uri))


def _location(uri: Any) -> str:
    return str(uri).rpartition("@")[2]
