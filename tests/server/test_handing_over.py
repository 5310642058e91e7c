"""An active that is asked to stop tries to hand over, for a limited time, and not if that would help nobody."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from support.loops import on_loop

from rmimom.config import ServerConfig
from rmimom.server.service import Server


class Orders:
    """One that leaves, leaves never, or has nobody to leave to."""

    def __init__(self, *heirs: str, leaves: bool = True) -> None:
        self.heirs = list(heirs)
        self.asked = 0
        self._leaves = leaves

    async def leave(self) -> bool:
        self.asked += 1
        if not self._leaves:
            await asyncio.Event().wait()
        return bool(self.heirs)


def stopped(tmp_path: Path, orders: Orders, *, timeout: float = 10.0, embedded: bool = False) -> None:
    """What a server does when it stops."""

    @on_loop
    async def story() -> None:
        server = Server(ServerConfig(data=tmp_path, handover_timeout=timeout, http="off", stomp="off"))
        server.embedded = object() if embedded else None  # type: ignore[assignment]
        await server._leave_to_a_standby(orders)  # type: ignore[arg-type]

    story()


def test_it_hands_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stopped(tmp_path, Orders("b"))
    assert "handed over" in caplog.text


def test_there_may_be_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stopped(tmp_path, Orders())
    assert "handed over" not in caplog.text


def test_it_does_not_wait_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stopped(tmp_path, Orders("b", leaves=False), timeout=0.01)
    assert "no standby took over within 0.01 s" in caplog.text


def test_it_does_not_try_if_it_is_told_so(tmp_path: Path) -> None:
    orders = Orders("b")
    stopped(tmp_path, orders, timeout=0)
    assert orders.asked == 0


def test_it_does_not_try_if_the_name_server_ends_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    orders = Orders("b")
    stopped(tmp_path, orders, embedded=True)
    assert orders.asked == 0
    assert "nobody would find the other" in caplog.text
