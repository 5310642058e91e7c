"""The broker: commands in, outcomes out."""

from __future__ import annotations

from typing import get_args

from support.brokers import NOW
from support.messages import frame_for

from rmimom.commands import Acknowledge, Command, Connect, Disconnect, Send, Subscribe, Tick
from rmimom.core.broker import _CHAPTERS, Broker
from rmimom.destination import Queue
from rmimom.effects import Accepted, Outcome

Q = Queue("q")


def test_every_command_has_its_chapter() -> None:
    assert set(_CHAPTERS) == set(get_args(Command))


def test_same_commands_and_times_give_the_same_outcomes() -> None:
    """What makes the core testable by simulation."""
    commands: list[Command] = [
        Connect("c", "ann"),
        Subscribe("c", 1, Q, prefetch=2),
        Send("c", "p", 1, Q, [frame_for(Q, body, expiration=NOW + 1) for body in "abcd"]),
        Acknowledge("c", 1, up_to=2),
        Tick(),
        Disconnect("c"),
    ]
    runs = []
    for _ in range(2):
        broker = Broker()
        runs.append([broker.handle(command, NOW + number) for number, command in enumerate(commands)])
    assert runs[0] == runs[1]


def test_tick_with_nothing_due_does_nothing() -> None:
    broker = Broker()
    assert broker.next_due is None
    assert broker.handle(Tick(), NOW) == Outcome(Accepted(), [], [])


def test_next_due_is_the_earliest_of_delay_expiration_and_doubt() -> None:
    broker = Broker()
    broker.handle(Connect("c", "ann"), NOW)
    for offset, frame in [
        (300, frame_for(Q, expiration=NOW + 300)),
        (200, frame_for(Q, delivery_time=NOW + 200)),
        (100, frame_for(Q, expiration=NOW + 100)),
    ]:
        broker.handle(Send("c", "", 0, Q, [frame]), NOW)
        assert broker.next_due == NOW + offset
    for offset, then in [(100, 200), (200, 300)]:
        broker.handle(Tick(), NOW + offset)
        assert broker.next_due == NOW + then


def test_known_send_is_told_from_a_new_one() -> None:
    broker = Broker()
    broker.handle(Connect("c", "ann"), NOW)
    sends = [Send("c", "p", number, Q, [frame_for(Q)] * 2) for number in (1, 3)]
    broker.handle(sends[0], NOW)
    assert [broker.has_accepted(send) for send in sends] == [True, False]
    assert not broker.has_accepted(Send("c", "", 0, Q, []))
