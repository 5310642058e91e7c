"""Where a server is: what it listens on, and what others are told."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from rmimom.config import ServerConfig
from rmimom.config_values import split_address
from rmimom.errors import ConfigurationError

_LOOPBACKS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to


class Place:
    """The addresses of a server with these settings that listens on `port`."""

    def __init__(self, config: ServerConfig, port: int) -> None:
        self._host = config.host
        self._http = config.http
        self.port = port
        self.location = _location(config.advertise or _reachable_name(config.host), port)
        """Host and port as clients are told them."""

    def uri_for(self, object_id: str, *, reachable: bool = False) -> str:
        """The URI of one of our objects; `reachable`: from this machine itself."""
        location = self.location
        if reachable:
            location = _location(_LOOPBACKS.get(self._host, self._host), self.port)
        return f"PYRO:{object_id}@{location}"

    def http_for_others(self, location: str) -> str:
        """Where our HTTP interface, here at `location`, is for the other servers' users; empty if they cannot reach it.

        What listens on loopback addresses can be reached by those alone who are told a loopback address for RMI, too.
        """
        host, port = (urlsplit(location).hostname or "", urlsplit(location).port) if location else ("", None)
        if port is None:
            return ""
        if split_address(self._http, "http", least_port=0)[0] in _LOOPBACKS:
            return f"http://{_location(self.location.rpartition(':')[0].strip('[]'), port)}"
        ours = self.location.rpartition(":")[0].strip("[]")
        return location if not _is_local(host) or _is_local(ours) else ""


def _is_local(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`: all its addresses are loopback ones."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise ConfigurationError(f"the host {host!r} has no address: {error}", host=host) from error
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)


def _reachable_name(host: str) -> str:
    return socket.gethostname() if host in _LOOPBACKS else host


def _location(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
