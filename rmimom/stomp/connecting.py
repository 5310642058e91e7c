"""CONNECT, STOMP and DISCONNECT (STOMP 1.2, Connecting and Heart-beating)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from rmimom.commands import Connect
from rmimom.errors import IllegalStateError, JMSError, JMSSecurityError, MessageFormatError
from rmimom.stomp.codec import V1_0, VERSIONS, Frame, encode_frame
from rmimom.stomp.requests import Login

if TYPE_CHECKING:
    from rmimom.stomp.session import Session

SERVER_ID: Final = "x-rmimom-server-id"
EPOCH: Final = "x-rmimom-epoch"
"""Headers of CONNECTED: with a list of hosts, which of them it is, and whether it is the one of last time."""


def connect(session: Session, frame: Frame) -> None:
    """Agree on a version and on heart-beats, and ask who it is."""
    headers = frame.headers
    try:
        version = _version(headers.get("accept-version"))
        if version == V1_0:
            # Its clients write a blank behind the colon, and its headers are trimmed.
            headers = {name.strip(): value.strip() for name, value in headers.items()}
        heartbeat = _heartbeat(headers.get("heart-beat"), session.settings.heartbeat)
        if not session.settings.anonymous and "login" not in headers:
            raise JMSSecurityError("a login and a passcode are needed")
    except _VersionError as error:
        session.refuse(error, close=True, version=",".join(VERSIONS))
        return
    except JMSError as error:
        session.refuse(error, close=True)
        return
    session.user = headers.get("login", "")
    session.client_id = headers.get("client-id", "")
    session.blocked = True
    answered = partial(_admitted, session, version, heartbeat, headers.get("request-id"))
    session.request(Login(session.user, headers.get("passcode", ""), answered))


class _VersionError(MessageFormatError):
    pass


def _version(accepted: str | None) -> str:
    if accepted is None:
        return V1_0
    wanted = {one.strip() for one in accepted.split(",")}
    common = [version for version in VERSIONS if version in wanted]
    if not common:
        raise _VersionError(
            f"none of the versions {accepted[:80]!r} is supported; Supported versions are {','.join(VERSIONS)}"
        )
    return common[-1]


def _heartbeat(text: str | None, shortest: int) -> tuple[int, int]:
    """How often we send and how often we are sent something, in milliseconds; 0 for never."""
    if text is None:
        return 0, 0
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise MessageFormatError(f"heart-beat is {text[:80]!r}, but must be two numbers of milliseconds, such as 0,0")
    can, wants = (int(part) for part in parts)
    return (max(wants, shortest) if wants else 0), (max(can, shortest) if can else 0)


def _admitted(
    session: Session,
    version: str,
    heartbeat: tuple[int, int],
    request: str | None,
    value: object,
    error: JMSError | None,
) -> None:
    del value
    if session.closing:
        return
    if error is not None:
        if isinstance(error, JMSSecurityError) and session.user:
            error = JMSSecurityError(f"User name [{session.user}] or password is invalid.")
        session.blocked = False
        session.refuse(error, close=True)
        return
    session.in_core = True
    session.ask(
        Connect(session.connection, session.user, session.client_id),
        partial(_connected, session, version, heartbeat, request),
    )


def _connected(
    session: Session,
    version: str,
    heartbeat: tuple[int, int],
    request: str | None,
    value: object,
    error: JMSError | None,
) -> None:
    del value
    session.blocked = False
    if session.closing:
        return
    if error is not None:
        session.in_core = False
        session.refuse(error, close=True)
        return
    session.connected(version)
    session.heartbeat = heartbeat
    headers = {
        "version": version,
        "session": session.id,
        "server": session.settings.server,
        "heart-beat": f"{heartbeat[0]},{heartbeat[1]}",
    }
    if session.settings.server_id:
        headers[SERVER_ID] = session.settings.server_id
        headers[EPOCH] = str(session.settings.epoch)
    if request is not None:
        headers["response-id"] = headers["receipt-id"] = request
    session.write(encode_frame("CONNECTED", headers))


def disconnect(session: Session, frame: Frame) -> None:
    """Abort what is open, let everything go, and say so when all that came before is safe."""
    for transaction in session.transactions.values():
        transaction.give_back()
    session.transactions.clear()
    [leaving] = session.leave(orderly=True)
    session.blocked = True
    session.ask(leaving, partial(_disconnected, session, frame.headers.get("receipt")))


def _disconnected(session: Session, receipt: str | None, value: object, error: JMSError | None) -> None:
    del value
    if error is not None and not isinstance(error, IllegalStateError):
        session.refuse(error, receipt or "", close=True)
        return
    session.receipt(receipt)
    session.closing = session.closing or "the client disconnected"
