"""Which server is meant, and how to log in there.

What is said on the command line counts first, then what the environment says, then the current context, then the data
directory of this machine.  A server leaves a token in its data directory, which lets in whoever may read that; the
token is sent to nobody but the server that wrote it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import click

from rmimom.admin.client import Client, Login
from rmimom.admin.contexts import Context, read_contexts
from rmimom.admin.failure import AWAY, Failure
from rmimom.admin_token import Token, read_token
from rmimom.paths import data_directory

DEFAULT_URL: Final = "http://127.0.0.1:8161"
DEFAULT_USER: Final = "admin"
PASSWORD_VARIABLE: Final = "RMIMOM_ADMIN_PASSWORD"  # noqa: S105  # the name of a variable


class Given(NamedTuple):
    """What the options say; None or empty for what was not given."""

    urls: tuple[str, ...] = ()
    context: str | None = None
    data: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    time_limit: float = 30.0


class Place(NamedTuple):
    """The servers that are meant; `data` is the directory that said so, if one did."""

    urls: tuple[str, ...]
    login: Login | None
    data: Path | None = None


def connect(given: Given) -> Client:
    """A client for the servers that are meant.  Raises Failure or click.UsageError."""
    place = find(given)
    # The token is good at one server only, so an order is not taken on to another one.
    return Client(place.urls, place.login, follow=place.data is None, time_limit=given.time_limit)


def find(given: Given) -> Place:
    """Where to ask, and as whom.  Raises Failure or click.UsageError."""
    said = [bool(given.urls), given.data is not None, given.context is not None]
    if sum(said) > 1:
        raise click.UsageError("say one of --url, --data and --context")
    if given.urls:
        return _by_urls(given.urls, given, Context())
    if given.data is not None:
        return _by_directory(given.data, given)
    name = given.context
    if name is None:
        if variable := os.environ.get("RMIMOM_ADMIN_URL", "").split():
            return _by_urls(tuple(variable), given, Context())
        name = os.environ.get("RMIMOM_ADMIN_CONTEXT") or None
    if name is None and os.environ.get("RMIMOM_DATA"):
        return _by_directory(data_directory(), given)
    contexts = read_contexts()
    name = name or contexts.current
    if name:
        context = contexts.find(name)
        if context.data:
            return _by_directory(Path(context.data), given)
        return _by_urls(context.urls or (DEFAULT_URL,), given, context)
    if read_token(data_directory()) is None and _wants_login(given):
        return _by_urls((DEFAULT_URL,), given, Context())
    return _by_directory(data_directory(), given)


def _wants_login(given: Given) -> bool:
    return given.user is not None or given.password_file is not None or bool(os.environ.get(PASSWORD_VARIABLE))


def _by_directory(data: Path, given: Given) -> Place:
    token = read_token(data)
    if token is None:
        raise Failure(
            f"no server runs on {data}, or its admin-token cannot be read; start one with `rmimom-server --active`, or "
            "say where it is: --data DIR, --url http://HOST:8161, or --context NAME",
            AWAY,
        )
    if not token.http:
        raise Failure(f"the server on {data} serves no HTTP, which this needs; start it with --http HOST:PORT", AWAY)
    if _wants_login(given):
        return Place((token.http,), _login(given, Context()), data)
    return Place((token.http,), Login(token.user, token.password), data)


def _by_urls(urls: tuple[str, ...], given: Given, context: Context) -> Place:
    urls = tuple(map(checked_url, urls))
    if not _wants_login(given) and not context.password_file:
        token = read_token(data_directory())
        if token is not None and _is_only(token, urls):
            return Place(urls, Login(token.user, token.password), data_directory())
    return Place(urls, _login(given, context))


def _is_only(token: Token, urls: tuple[str, ...]) -> bool:
    return bool(token.http) and urls == (token.http,)


def checked_url(text: str) -> str:
    """A URL of a server's HTTP interface as we write it; raises click.UsageError."""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no URL: {error}") from error
    if "@" in parts.netloc:
        raise click.UsageError("a password does not belong into a URL, where others see it: give --password-file")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise click.UsageError(f"{text!r} is no URL of a server: write http://HOST:PORT")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}" if port else f"{parts.scheme}://{host}"


def _login(given: Given, context: Context) -> Login:
    """The login that the options, the environment and the context give; asks for the password if it must."""
    user = given.user or context.user or DEFAULT_USER
    path = given.password_file or (Path(context.password_file).expanduser() if context.password_file else None)
    if given.password_file is None and os.environ.get(PASSWORD_VARIABLE):
        return Login(user, os.environ[PASSWORD_VARIABLE])
    if path is not None:
        try:
            text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"cannot read the password in {path}: {error}") from error
        return Login(user, text.partition("\n")[0].rstrip("\r"))
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{user} needs a password: give --password-file or {PASSWORD_VARIABLE}; on the server's own machine, "
            "--data with its data directory is enough"
        )
    return Login(user, str(click.prompt(f"Password of {user}", hide_input=True, err=True)))
