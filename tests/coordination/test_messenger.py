"""News for other servers arrive, or do not; nobody who sends them waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.coordination import A, make_key, served
from support.loops import on_loop, until

from rmimom.coordination.key import ServerLogin
from rmimom.coordination.messenger import Messenger
from rmimom.errors import IllegalStateError
from rmimom.listeners.rmi.call import current_call
from rmimom.rmi.exposure import expose


class Other:
    """Another server's object."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, object]] = []
        self.may_answer = asyncio.Event()

    @expose
    async def new_message(self, news: Mapping[str, object]) -> None:
        self.heard.append((current_call().peer.user, news))
        await self.may_answer.wait()
        if "bad" in news:
            raise IllegalStateError("this is bad")


@on_loop
async def test_news_arrive_with_the_handshake_of_a_server(tmp_path: Path) -> None:
    key, other = make_key(tmp_path), Other()
    async with served({"other": other}, key) as place:
        messenger = Messenger(key.handshake(A), 10.0)
        await messenger.wait_until_sent()
        messenger.send(f"PYRO:other@{place}", {"told": 1})
        waiting = asyncio.ensure_future(messenger.wait_until_sent())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        other.may_answer.set()
        await waiting
    assert other.heard == [(ServerLogin(A), {"told": 1})]


@pytest.mark.parametrize("uri", ["PYRO:other@{}", "PYRO:nobody@{}", "nonsense"])
def test_what_does_not_arrive_is_only_noted(tmp_path: Path, uri: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    @on_loop
    async def check() -> None:
        key, other = make_key(tmp_path), Other()
        other.may_answer.set()
        async with served({"other": other}, key) as place:
            messenger = Messenger(key.handshake(A), 10.0)
            messenger.send(uri.format(place), {"bad": 1})
            await messenger.wait_until_sent()

    check()
    assert "could not be told" in caplog.text


@on_loop
async def test_who_hangs_is_not_waited_for_long_and_closing_gives_up(tmp_path: Path) -> None:
    key, other = make_key(tmp_path), Other()
    async with served({"other": other}, key) as place:
        messenger = Messenger(key.handshake(A), 0.05)
        messenger.send(f"PYRO:other@{place}", {})
        await messenger.wait_until_sent()
        patient = Messenger(key.handshake(A), 60.0)
        patient.send(f"PYRO:other@{place}", {})
        await asyncio.sleep(0)
        patient.close()
        await patient.wait_until_sent()
        other.may_answer.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)
