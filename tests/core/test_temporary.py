"""Temporary destinations in the core, where conversations do not reach."""

from __future__ import annotations

import pytest
from support.brokers import BrokerOnStore
from support.messages import frame_for

from rmimom.commands import Connect, CreateTemporary, Disconnect, Send
from rmimom.core import temporary
from rmimom.core.state import BARE, SERVER, Rules
from rmimom.destination import TemporaryQueue
from rmimom.effects import Refused
from rmimom.errors import IllegalStateError, InvalidDestinationError, ResourceAllocationError
from rmimom.records import MessagesStored

T = TemporaryQueue("t")


def refusal(room: BrokerOnStore, command: CreateTemporary | Send) -> Exception:
    reply = room.handle(command).reply
    assert isinstance(reply, Refused)
    return reply.error


def test_spilled_messages_do_not_outlive_a_restart() -> None:
    """Given no room in memory, when persistent messages wait in a temporary queue, then a restart drops them."""
    room = BrokerOnStore(Rules(resident_bytes=0))
    room.handle(Connect("a", "ann"))
    room.handle(CreateTemporary("a", T))
    outcome = room.handle(Send("a", "", 0, T, [frame_for(T, "x")]))
    assert [type(record) for record in outcome.records] == [MessagesStored]
    room.restart()
    assert list(room.store.load().messages()) == []
    room.handle(Connect("b", "bob"))
    assert isinstance(refusal(room, Send("b", "", 0, T, [frame_for(T, "y")])), InvalidDestinationError)


def test_what_was_spilled_goes_with_the_connection() -> None:
    room = BrokerOnStore(Rules(resident_bytes=0))
    room.handle(Connect("a", "ann"))
    room.handle(CreateTemporary("a", T))
    room.handle(Send("a", "", 0, T, [frame_for(T, "x")]))
    room.handle(Disconnect("a"))
    assert list(room.store.load().messages()) == []


@pytest.mark.parametrize("connection", [SERVER, BARE])
def test_connections_that_never_end_have_none(connection: str) -> None:
    assert isinstance(refusal(BrokerOnStore(), CreateTemporary(connection, T)), IllegalStateError)


def test_their_number_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "MOST", 1)
    room = BrokerOnStore()
    room.handle(Connect("a", "ann"))
    room.handle(CreateTemporary("a", T))
    error = refusal(room, CreateTemporary("a", TemporaryQueue("u")))
    assert isinstance(error, ResourceAllocationError)


@pytest.mark.parametrize("name", ["", "a b", "x" * 256])
def test_names_are_checked(name: str) -> None:
    room = BrokerOnStore()
    room.handle(Connect("a", "ann"))
    assert isinstance(refusal(room, CreateTemporary("a", TemporaryQueue(name))), InvalidDestinationError)
