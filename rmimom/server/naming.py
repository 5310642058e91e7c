"""The name server as the assembly sees it: found, started here, or away."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

from rmimom.errors import JMSError
from rmimom.listeners.registrar import nameserver_answers
from rmimom.nameserver.embedded import FILE_NAME, EmbeddedNameServer, start_embedded

log = logging.getLogger(__name__)


def is_this_machine(host: str) -> bool:
    """Whether `host` is an address of this machine: only on those a socket can be bound."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as trial:
                trial.bind(address)
        except OSError:
            continue
        return True
    return False


def embed_if_none_answers(address: tuple[str, int], data: Path | None) -> EmbeddedNameServer | None:
    """Start a name server of our own if the address is on this machine and none answers there.

    Its names are kept in the data directory (None: in memory).  If it cannot be started the log says why, and the
    server goes on without: one may still be started by somebody.
    """
    host, port = address
    if nameserver_answers(address) or not is_this_machine(host):
        return None
    try:
        server = start_embedded(host, port, data / FILE_NAME if data else None)
    except JMSError as error:
        log.warning("no name server answers at %s port %d, and none can be started here: %s", host, port, error)
        return None
    log.info("no name server answered at %s port %d: started one here, %s", host, port, server.uri)
    return server
