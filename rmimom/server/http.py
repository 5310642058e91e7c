"""The HTTP interface of a server, as its settings want it: it is served whatever the role is."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Protocol

import msgspec

from rmimom.access import Access, Identity, PasswordChecker
from rmimom.admin_token import LOCAL_USER
from rmimom.clock import Clock
from rmimom.config import OFF, ServerConfig
from rmimom.config_values import split_address
from rmimom.coordination.control import ClusterControl
from rmimom.engine import Engine
from rmimom.errors import JMSSecurityError
from rmimom.follower import Follower
from rmimom.listeners.http.listener import HttpListener
from rmimom.records import UserPut
from rmimom.snapshot import Position
from rmimom.store.base import StoreStatistics


class Ruling(Protocol):
    """What is here while the server is active."""

    engine: Engine

    @property
    def access(self) -> Access | None:
        """The users, once they are known."""
        ...


class View:
    """The server as the interface sees it (see `rmimom.listeners.http.view.ServerView`).

    A standby knows the users as the log has them, so whoever can log in at the active server can do so here.
    """

    def __init__(
        self,
        config: ServerConfig,
        clock: Clock,
        follower: Follower,
        *,
        reign: Callable[[], Ruling | None],
        facts: Callable[[], dict[str, object]],
        active: Callable[[], str],
        active_http: Callable[[], str],
        token: str,
        cluster: ClusterControl,
    ) -> None:
        self.config = config
        self.clock = clock
        self.facts = facts
        self._follower = follower
        self._reign = reign
        self._active = active
        self._active_http = active_http
        self._token = token
        self.cluster = cluster
        self._checker: PasswordChecker | None = None
        self._users: tuple[Position, dict[str, UserPut]] | None = None

    @property
    def engine(self) -> Engine | None:
        """The engine while this server is active."""
        reign = self._reign()
        return reign.engine if reign is not None and reign.access is not None else None

    @property
    def access(self) -> Access | None:
        """The users while this server is active."""
        reign = self._reign()
        return reign.access if reign is not None else None

    @property
    def active(self) -> str:
        """Where the active server is, as far as is known."""
        return self._active()

    @property
    def active_http(self) -> str:
        """Where the active server serves HTTP, as far as is known."""
        return self._active_http()

    async def authenticate(self, user: str, password: str) -> Identity:
        """Who this is.  Raises JMSSecurityError, or ResourceAllocationError in a crowd."""
        access = self.access
        if access is not None:
            return await access.authenticate(user, password)
        if user == LOCAL_USER:
            if hmac.compare_digest(self._token.encode(), password.encode("utf-8", "replace")):
                return Identity(user, administrator=True)
            raise _wrong()
        known = await self.user(user)
        if self._checker is None:
            self._checker = PasswordChecker()
        if not await self._checker.is_right(user, known, password):
            raise _wrong()
        assert known is not None
        return Identity(user, known.administrator, known.role)

    async def user(self, name: str) -> UserPut | None:
        """A user by name, as this server knows it now."""
        engine = self.engine
        if engine is not None:
            return engine.broker.user(name)
        if self._users is None or self._users[0] != self._follower.position:
            position = self._follower.position
            self._users = position, {user.name: user for user in await self._follower.users()}
        return self._users[1].get(name)

    async def store(self) -> StoreStatistics | None:
        """A reading of the store, or None if it cannot be asked now."""
        engine = self.engine
        if engine is None:
            return await self._follower.statistics()
        return msgspec.convert(await engine.run_on_store(lambda store: store.statistics()), StoreStatistics)

    def close(self) -> None:
        """End the thread that checks passwords, if there is one."""
        if self._checker is not None:
            self._checker.close()


def _wrong() -> JMSSecurityError:
    return JMSSecurityError("the user name or the password is wrong")


def make_listener(view: View) -> HttpListener | None:
    """The listener that the settings want; None for none."""
    if view.config.http == OFF:
        return None
    host, port = split_address(view.config.http, "http", least_port=0)
    return HttpListener(view, host=host, port=port)
