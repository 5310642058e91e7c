"""What is wrong between this machine and a server, and which setting to change.

Each examination is a function of what was read; `rmimom-admin doctor` reads, and shows what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

Health: TypeAlias = Literal["ok", "warning", "error"]

SKEW_WARNING: Final = 1.0
"""Seconds by which clocks may differ: times of messages and their expiry are those of the server."""
SKEW_ERROR: Final = 30.0
FEW_FILES: Final = 0.8
"""The part of the files allowed to the server that may be open."""
_LOOPBACK: Final = frozenset({"localhost", "ip6-localhost", "::1", "[::1]"})


class Diagnosis(NamedTuple):
    """One thing that was examined; `advice` says what to do, and is empty if nothing is to be done."""

    subject: str
    health: Health
    text: str
    advice: str = ""


def is_loopback(host: str) -> bool:
    """Whether an address is good on its own machine only."""
    return host in _LOOPBACK or host.startswith("127.")


def examine_clock(server_ms: int, here_ms: int) -> Diagnosis:
    """The server's clock against that of this machine; both in milliseconds since 1970 UTC."""
    apart = (server_ms - here_ms) / 1000
    text = f"the server's clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    advice = "let both machines take the time from NTP: expiry and delays of messages go by the server's clock"
    if abs(apart) >= SKEW_ERROR:
        return Diagnosis("clock", "error", text, advice)
    if abs(apart) >= SKEW_WARNING:
        return Diagnosis("clock", "warning", text, advice)
    return Diagnosis("clock", "ok", "the clocks agree")


def examine_address(url: str, address: str) -> Diagnosis:
    """Where clients are sent (HOST:PORT), seen from where we asked."""
    host = address.rpartition(":")[0]
    asked = urlsplit(url).hostname or ""
    if not is_loopback(host):
        return Diagnosis("address", "ok", f"clients are sent to {address}")
    if is_loopback(asked):
        return Diagnosis("address", "ok", f"clients are sent to {address}: those on this machine only")
    return Diagnosis(
        "address",
        "error",
        f"clients are sent to {address}, which works on the server's own machine only",
        "start the server with --host 0.0.0.0 (or its address) and --advertise NAME, and define users",
    )


def examine_names(status: Mapping[str, Any]) -> Iterable[Diagnosis]:
    """What the server says of its name server."""
    if status["nameserver"] is None:
        yield Diagnosis(
            "name server",
            "warning",
            "the server has none: clients need its address, and there can be no standby",
            "start rmimom-ns, and the server with --nameserver HOST:PORT",
        )
        return
    if status["facts"].get("nameserver_embedded"):
        yield Diagnosis(
            "name server",
            "warning",
            f"{status['nameserver']} is a part of the server, and ends with it",
            "for a standby, run rmimom-ns as a process of its own before the servers",
        )


def examine_files(resources: Mapping[str, Any]) -> Diagnosis:
    """How many files and connections the server's process may have open."""
    used, limit = resources["open_files"], resources["open_files_limit"]
    if not limit:
        return Diagnosis("files", "ok", f"{used} files are open, without a limit")
    text = f"{used:,} of {limit:,} files and connections are open"
    if used < FEW_FILES * limit:
        return Diagnosis("files", "ok", text)
    return Diagnosis(
        "files", "warning", text, "raise the limit: `ulimit -n 65536`, or LimitNOFILE=65536 in the unit of systemd"
    )


def examine_disk(resources: Mapping[str, Any]) -> Diagnosis:
    """Whether there is room for messages."""
    free, reserve = resources["disk_free"], resources["disk_reserve"]
    if free is None:
        return Diagnosis(
            "disk", "warning", "the store is in memory: nothing survives a stop", "leave out --store memory"
        )
    text = f"{free // 2**20:,} MiB are free; below {reserve // 2**20:,} MiB sends are refused"
    if free < reserve:
        return Diagnosis("disk", "error", text, "make room, or move the data directory to a larger disk")
    if free < 4 * reserve:
        return Diagnosis("disk", "warning", text, "make room, or move the data directory to a larger disk")
    return Diagnosis("disk", "ok", text)


def examine_cluster(cluster: Mapping[str, Any]) -> Iterable[Diagnosis]:
    """Whether somebody could take over."""
    status = cluster["status"]
    if status is None:
        return
    if not cluster["active"]:
        yield Diagnosis("cluster", "error", "no active server is known", "see docs/operations/failover.md")
    standbys = [server for server in status["servers"] if server["role"] == "standby"]
    ready = sum(1 for server in standbys if server["in_sync"])
    if standbys and not ready:
        yield Diagnosis(
            "cluster", "error", "no standby is in sync, so none would take over", "see `rmimom-admin cluster status`"
        )
    elif standbys:
        yield Diagnosis("cluster", "ok", f"{ready} of {len(standbys)} standbys in sync")
    else:
        yield Diagnosis(
            "cluster", "ok", "there is no standby", "one that takes over by itself: `rmimom-server --standby`"
        )


def examine_mode(mode: int, path: str) -> Diagnosis:
    """The permissions of the data directory."""
    if mode & 0o077:
        return Diagnosis("data", "warning", f"others may look into {path}", f"chmod 700 {path}")
    return Diagnosis("data", "ok", f"{path} is for its owner alone")


def of_remark(remark: Mapping[str, Any]) -> Diagnosis:
    """A warning of the server's own."""
    health: Health = {"error": "error", "warning": "warning"}.get(remark["level"], "ok")  # type: ignore[assignment]  # the values are literals
    return Diagnosis(remark["code"], health, f"{remark['subject']}: {remark['text']}", remark["advice"])
