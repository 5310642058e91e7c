"""How the administration tool finds a server, logs in and asks.

A server is found by its URI, or in a name server, or by the token in the data directory of this machine.  The token is
sent to nobody but the server that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from Pyro5 import errors as pyro_errors
from Pyro5.client import Proxy
from Pyro5.core import NAMESERVER_NAME, URI

from rmimom.admin_token import Token, read_token
from rmimom.destination import ADMINISTRATION_NAME
from rmimom.errors import ConfigurationError, ConnectionFailedError, JMSError, JMSSecurityError
from rmimom.rmi.exceptions import register_errors

DEFAULT_NAMESERVER: Final = "127.0.0.1:9090"
DEFAULT_USER: Final = "admin"
TIME_LIMIT: Final = 15.0
"""Seconds for one call.  A login takes some tenths of a second, a purge of a long queue some seconds."""


class Login(NamedTuple):
    """A name and a password."""

    user: str
    password: str

    def __repr__(self) -> str:
        # A password has no place in a traceback.
        return f"Login({self.user!r}, ...)"


class Whereabouts(NamedTuple):
    """What the options say about the server; None or empty for what was not given."""

    server: str | None
    nameserver: str | None
    data: Path
    login: Login | None


@contextmanager
def administration(where: Whereabouts, object_id: str = ADMINISTRATION_NAME) -> Iterator[Any]:
    """A proxy of the server's administration object, or another one that asks for the same login, with a time limit.

    Raises ConfigurationError for wrong options, ConnectionFailedError if no server answers, JMSSecurityError if it does
    not let us in; and so do the proxy's methods, inside the block.
    """
    token = read_token(where.data)
    uri = find(where, token)
    login = _choose_login(where, token, uri)
    register_errors()
    if object_id != ADMINISTRATION_NAME:
        uri = f"PYRO:{object_id}@{URI(uri).location}"
    with Proxy(uri) as proxy:
        proxy._pyroTimeout = TIME_LIMIT
        proxy._pyroMaxRetries = 0
        proxy._pyroHandshake = {"user": login.user, "password": login.password}
        try:
            proxy._pyroBind()
            yield proxy
        except (pyro_errors.CommunicationError, OSError) as error:
            raise _no_answer(uri, error) from error
        except pyro_errors.PyroError as error:
            raise ConnectionFailedError(f"{uri} is no administration object of rmimom: {error}", uri=uri) from error


def find(where: Whereabouts, token: Token | None) -> str:
    """The URI of the administration object."""
    if where.server:
        return _uri_of(where.server, "--server")
    if token is not None and where.nameserver is None:
        return token.uri
    return _look_up(where.nameserver or DEFAULT_NAMESERVER)


def _uri_of(text: str, option: str) -> str:
    uri = text if text.upper().startswith("PYRO:") else f"PYRO:{ADMINISTRATION_NAME}@{text}"
    try:
        read = URI(uri)
    except pyro_errors.PyroError as error:
        raise ConfigurationError(f"{option} is {text!r}, but must be HOST:PORT or a PYRO: URI") from error
    if not read.host or not read.port:
        raise ConfigurationError(f"{option} is {text!r}, but must be HOST:PORT or a PYRO: URI")
    return uri


def _look_up(nameserver: str) -> str:
    uri = _uri_of(nameserver, "--nameserver").replace(ADMINISTRATION_NAME, NAMESERVER_NAME, 1)
    with Proxy(uri) as proxy:
        proxy._pyroTimeout = TIME_LIMIT
        proxy._pyroMaxRetries = 0
        try:
            return str(proxy.lookup(ADMINISTRATION_NAME))
        except pyro_errors.NamingError as error:
            raise ConnectionFailedError(
                f"no server is registered in the name server at {nameserver}; start one with: rmimom-server --active",
                nameserver=nameserver,
            ) from error
        except (pyro_errors.PyroError, OSError) as error:
            raise ConnectionFailedError(
                f"no name server answers at {nameserver} ({error}); name another with --nameserver, or the server "
                "itself with --server HOST:PORT, or its data directory with --data",
                nameserver=nameserver,
            ) from error


def _choose_login(where: Whereabouts, token: Token | None, uri: str) -> Login:
    if where.login is not None:
        return where.login
    if token is not None and token.uri == uri:
        return Login(token.user, token.password)
    raise JMSSecurityError(
        f"{uri} needs a login: give --user and --password-file, or RMIMOM_ADMIN_PASSWORD; "
        "on the server's own machine, --data with its data directory is enough"
    )


def _no_answer(uri: str, error: BaseException) -> JMSError:
    # A refused login reaches a proxy as a failed connection, with the server's own words.
    text = str(error)
    _, refused, reason = text.partition("rejected: ")
    if refused and "unknown object" in reason:
        return ConnectionFailedError(
            f"the server at {uri} is not active, so it has nothing to administer; `rmimom-admin cluster status` says "
            "which one is",
            uri=uri,
        )
    if refused:
        return JMSSecurityError(f"{uri} refuses the login: {reason}", uri=uri)
    return ConnectionFailedError(
        f"the server at {uri} does not answer: {text}; `rmimom-server status` says whether one runs here", uri=uri
    )
