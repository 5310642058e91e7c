"""A connection whose server says nothing goes to the one that became active."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rmimom.client.scout import AGAIN, SELDOM, WAITING, Scout


class FakeExchange:
    def __init__(self, waited: float = 0.0) -> None:
        self.channel: object | None = object()
        self.waiting = waited
        self.losses: list[str] = []

    def waited(self) -> float:
        return self.waiting

    def lose(self, error: Exception) -> None:
        self.losses.append(str(error))


class FakeManager:
    def __init__(self) -> None:
        self.moved: list[str] = []

    def moved_to(self, factory: str) -> None:
        self.moved.append(factory)


def connection(waited: float = 0.0) -> Any:
    """A connection at port 1 whose answer is awaited for so many seconds."""
    welcome = SimpleNamespace(connection="PYRO:rmimom.connection.1@127.0.0.1:1")
    return SimpleNamespace(_exchange=FakeExchange(waited), _manager=FakeManager(), _welcome=welcome)


def test_a_server_that_moved_is_left_and_the_new_one_asked_next() -> None:
    one = connection()
    Scout.compare(one, "PYRO:rmimom.ConnectionFactory@127.0.0.1:2")
    assert one._exchange.losses == ["the active server is at 127.0.0.1:2 now, no longer at 127.0.0.1:1"]
    assert one._manager.moved == ["PYRO:rmimom.ConnectionFactory@127.0.0.1:2"]


@pytest.mark.parametrize("factory", [None, "PYRO:rmimom.ConnectionFactory@127.0.0.1:1"])
def test_a_name_server_that_is_away_or_knows_no_other_changes_nothing(factory: str | None) -> None:
    one = connection()
    Scout.compare(one, factory)
    assert one._exchange.losses == one._manager.moved == []


def test_whoever_looks_for_a_server_already_is_left_alone() -> None:
    one = connection(100.0)
    one._exchange.channel = None
    Scout.compare(one, "PYRO:rmimom.ConnectionFactory@127.0.0.1:2")
    assert one._exchange.losses == []
    assert not Scout._is_due(one, 1000.0)


def test_the_name_server_is_asked_soon_for_those_who_wait_and_seldom_for_others() -> None:
    waiting, idle = connection(WAITING + 0.1), connection(WAITING - 0.1)
    assert Scout._is_due(waiting, AGAIN)
    assert not Scout._is_due(waiting, AGAIN - 0.1)
    assert Scout._is_due(idle, SELDOM)
    assert not Scout._is_due(idle, SELDOM - 0.1)
