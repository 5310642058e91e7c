"""The key by which the servers of a cluster know each other."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from rmimom.errors import ConfigurationError, JMSSecurityError

_SHORTEST: Final = 16
_LONGEST: Final = 1024


class ServerLogin(msgspec.Struct, frozen=True):
    """A proxy that belongs to another server of the cluster."""

    server: str


class ClusterKey:
    """The secret in a file that all servers of a cluster have; made at the first need if it is not there.

    Raises ConfigurationError if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._secret = _read(path) or _make(path)

    def handshake(self, me: str) -> dict[str, str]:
        """What a server shows to another one when it connects."""
        return {"server": me, "cluster_key": self._secret}

    @property
    def password(self) -> str:
        """The key as the password of a server that is a client of another one."""
        return self._secret

    def check(self, handshake: Mapping[object, object]) -> ServerLogin:
        """Whom the handshake is from; raises JMSSecurityError if the key is not ours."""
        server, key = handshake.get("server"), handshake.get("cluster_key")
        if not isinstance(server, str) or not isinstance(key, str):
            raise JMSSecurityError('a server says {"server": ..., "cluster_key": ...}, both of them text')
        if not hmac.compare_digest(key.encode(errors="replace"), self._secret.encode()):
            raise JMSSecurityError(
                "the cluster key is not ours; give all servers of a cluster the same file with --cluster-key"
            )
        return ServerLogin(server)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigurationError(f"cannot read the cluster key in {path}: {error.strerror}", file=str(path)) from error
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isalnum():
        raise ConfigurationError(
            f"{path} holds no cluster key: {_SHORTEST} to {_LONGEST} letters and digits; remove it to have one made",
            file=str(path),
        )
    return text


def _make(path: Path) -> str:
    secret = secrets.token_hex(32)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A name of its own: what a process left that crashed here must not be in the way of the next one of its number.
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secret + "\n")
            # Unlike a rename this does not take the place of a key that another server made meanwhile.
            os.link(draft, path)
        except FileExistsError:
            return _read(path)
        finally:
            draft.unlink()
    except OSError as error:
        raise ConfigurationError(f"cannot make the cluster key in {path}: {error.strerror}", file=str(path)) from error
    return secret
