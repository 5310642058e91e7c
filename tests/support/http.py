"""The HTTP interface on an engine in this process, asked without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp
from support.engines import inheritance

from rmimom import access as access_module
from rmimom import passwords
from rmimom.access import Access, Identity
from rmimom.clock import ManualClock
from rmimom.config import ServerConfig
from rmimom.core.broker import Broker
from rmimom.core.state import Rules
from rmimom.engine import Engine
from rmimom.errors import IllegalStateError, JMSSecurityError
from rmimom.listeners.http.console.routes import make_whole_app
from rmimom.listeners.http.gate import Gate
from rmimom.listeners.http.sampler import Sampler
from rmimom.passwords import Cost
from rmimom.records import UserPut
from rmimom.store.base import StoreStatistics
from rmimom.store.memory import MemoryStore

API = "/api/v1"
ADMIN = ("admin", "secret")
OPERATOR = ("olga", "secret")
VIEWER = ("vic", "secret")
NOBODY = ("nina", "secret")


def make_passwords_cheap(patch: pytest.MonkeyPatch) -> None:
    """Let passwords cost nothing to check."""
    cost = Cost(1, 1, 1)
    patch.setattr(passwords, "CHOSEN", cost)
    patch.setattr(passwords, "_NOBODY", bytes(cost) + bytes(16))
    patch.setattr(access_module, "CHOSEN", cost)


class FakeCluster:
    """A cluster of two servers, or none."""

    def __init__(self) -> None:
        self.exists = False
        self.orders: list[object] = []
        self.standby_in_sync = True

    def status(self) -> dict[str, object]:
        link = {"phase": "following", "behind": 0, "copied": 0, "to_copy": 0}
        none = dict.fromkeys(link)
        standby = {"server_id": "s2", "address": "b:1", "role": "standby", "in_sync": self.standby_in_sync, **link}
        return {
            "cluster": "test",
            "server_id": "s1",
            "phase": "active",
            "position": {"epoch": 3, "sequence": 7},
            "suspected": False,
            "refusal": "",
            "configuration": 2,
            "epoch": 3,
            "forced": False,
            "why": "the first server of the cluster",
            "servers": [
                {"server_id": "s1", "address": "here:61611", "role": "active", "in_sync": True, **none},
                standby,
            ],
        }

    async def switch_over(self, to: str | None = None) -> dict[str, object]:
        self.orders.append(to)
        return self.status()

    async def promote(self, *, force: bool) -> dict[str, object]:
        if not force:
            raise IllegalStateError("say force")
        self.orders.append(force)
        return self.status()


class FakeView:
    """A server as the interface sees it (see `rmimom.listeners.http.view`), in a role of the test's choice."""

    def __init__(self, engine: Engine, access: Access, clock: ManualClock, config: ServerConfig) -> None:
        self.running = engine
        self.users = access
        self.clock = clock
        self.config = config
        self.is_active = True
        self.active = "here:61611"
        self.active_http = "http://here:8161"
        self.cluster = FakeCluster()
        self.more: dict[str, object] = {}

    @property
    def engine(self) -> Engine | None:
        return self.running if self.is_active else None

    @property
    def access(self) -> Access | None:
        return self.users if self.is_active else None

    def facts(self) -> dict[str, object]:
        return {
            "version": "1",
            "role": "active" if self.is_active else "standby",
            "cluster": "test",
            "server_id": "s1",
            "epoch": 3 if self.is_active else 0,
            "pid": 1,
            "address": "here:61611",
            "data": "/data",
            "store_kind": "memory",
            "started": 5,
            "uptime": 1.5,
            "nameserver": None,
            "registration": None,
            "coordination": None,
            **self.more,
        }

    async def authenticate(self, user: str, password: str) -> Identity:
        if self.is_active:
            return await self.users.authenticate(user, password)
        known = await self.user(user)
        if known is None or password != "secret":
            raise JMSSecurityError("the user name or the password is wrong")
        return Identity(user, known.administrator, known.role)

    async def user(self, name: str) -> UserPut | None:
        return self.running.broker.user(name)

    async def store(self) -> StoreStatistics | None:
        found = await self.running.run_on_store(lambda store: store.statistics())
        assert isinstance(found, StoreStatistics)
        return found


class Room:
    """An engine, the interface on it, and somebody who asks."""

    def __init__(self, view: FakeView, gate: Gate, sampler: Sampler, app: ASGIApp, client: httpx.AsyncClient) -> None:
        self.view = view
        self.app = app
        self.gate = gate
        self.sampler = sampler
        self.client = client
        self.clock = view.clock

    @property
    def engine(self) -> Engine:
        """The engine, whatever the interface sees."""
        return self.view.running

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        expect: int | None = None,
        who: tuple[str, str] | None = ADMIN,
        **more: Any,
    ) -> Any:
        """Send a request; the answer as plain data, its status checked if one is expected."""
        if body is not None:
            more["json"] = body
        response = await self.client.request(method, API + path, auth=who, **more)
        if expect is not None:
            assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text[:500]}"
        elif response.status_code >= 400:
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    async def get(self, path: str, **more: Any) -> Any:
        """Read."""
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Any:
        """Give an order."""
        return await self.ask("POST", path, body, **more)


def in_room(conversation: Callable[[Room], Awaitable[None]], rules: Rules | None = None) -> None:
    """A conversation with the interface; there are an administrator, an operator, a viewer and one without a role."""

    async def whole() -> None:
        clock = ManualClock()
        engine = Engine(Broker(rules or Rules()), store := MemoryStore(), clock)
        await engine.start(await inheritance(store))
        access = Access(engine, open=True, token="token")
        with pytest.MonkeyPatch.context() as patch:
            make_passwords_cheap(patch)
            for (name, password), role in ((ADMIN, "admin"), (OPERATOR, "operator"), (VIEWER, "viewer"), (NOBODY, "")):
                await access.put(name, password, role)
            view = FakeView(engine, access, clock, ServerConfig(store="memory", data=Path("/nowhere")))
            gate = Gate(view)
            sampler = Sampler(view, lambda: clock.now() / 1000)
            app = make_whole_app(view, gate, sampler)
            transport = httpx.ASGITransport(app, raise_app_exceptions=True)
            try:
                async with httpx.AsyncClient(transport=transport, base_url="http://rmimom") as client:
                    await conversation(Room(view, gate, sampler, app, client))
            finally:
                await sampler.stop()
                access.close()
                await engine.stop()

    asyncio.run(whole())
