"""The broker: commands in, outcomes out.

`handle` decides one command at a time.  A command that is refused changed nothing, except that the destination it
named may have come to be.  The same sequence of commands and
times always gives the same outcomes, which is what makes the core testable by simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rmimom.commands import (
    Acknowledge,
    Browse,
    Bury,
    CancelScheduled,
    CloseConsumer,
    Command,
    Commit,
    Connect,
    CreateDestination,
    CreateSubscription,
    CreateTemporary,
    DeleteDestination,
    DeleteSubscription,
    DeleteTemporary,
    DeliverNow,
    DeliverScheduled,
    Disconnect,
    Examined,
    Fetched,
    Move,
    Pause,
    Purge,
    PutUser,
    Release,
    Remove,
    RemoveSubscription,
    RemoveUser,
    Retry,
    Send,
    Subscribe,
    Tick,
)
from rmimom.core import (
    administering,
    browsing,
    burying,
    committing,
    consuming,
    firing,
    moving,
    patterns,
    scheduling,
    sending,
    temporary,
)
from rmimom.core.burying import DeadLetter
from rmimom.core.recovery import recover
from rmimom.core.scheduling import Scheduled
from rmimom.core.state import Rules, State
from rmimom.core.statistics import BrokerStatistics, collect
from rmimom.core.turn import Turn
from rmimom.destination import Queue
from rmimom.effects import Accepted, Outcome, Refused
from rmimom.errors import JMSError
from rmimom.records import ProducersForgotten, Record, UserPut
from rmimom.snapshot import Snapshot

_ACCEPTED = Accepted(None)


class Broker:
    """The state machine of the server; see the module's text."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._state = State(rules or Rules())

    def recover(self, snapshot: Snapshot, now: int) -> list[Record]:
        """Take over the state of a store, once, before the first command.

        Returns records of what has to be tidied in the store; they belong into the first batch.
        """
        return recover(self._state, snapshot, now)

    def handle(self, command: Command, now: int) -> Outcome:
        """Decide a command at a time given in milliseconds since 1970 UTC."""
        turn = Turn(now)
        try:
            value = _CHAPTERS[type(command)](self._state, command, turn)
        except JMSError as error:
            # A destination made on the way stays made, so what was recorded before the refusal counts.
            return turn.outcome(Refused(error))
        if self._state.freed:
            patterns.serve(self._state, turn)
        if turn.expired:
            burying.bury_expired(self._state, turn)
        return turn.outcome(_ACCEPTED if value is None else Accepted(value))

    def has_accepted(self, command: Send | Commit) -> bool:
        """Whether this, or some of it, was accepted before, so that it is a repetition."""
        if isinstance(command, Commit):
            return self._state.producers.accepted_up_to(command.transaction) >= command.number
        return bool(command.producer) and self._state.producers.accepted_up_to(command.producer) >= command.sequence

    @property
    def next_id(self) -> int:
        """The first id not used yet."""
        return self._state.next_id

    @property
    def next_due(self) -> int | None:
        """When a Tick has something to do next, in milliseconds since 1970 UTC."""
        return self._state.agenda.next()

    @property
    def state(self) -> State:
        """The state, for reading: statistics, consoles, checkers."""
        return self._state

    def user(self, name: str) -> UserPut | None:
        """A user by name."""
        return self._state.users.get(name)

    def dead_letters(self, queue: Queue) -> list[DeadLetter]:
        """The dead letters in a queue, the oldest message first; InvalidDestinationError if there is no such queue."""
        return burying.dead_letters(self._state, queue)

    def scheduled(self) -> list[Scheduled]:
        """Everything that is scheduled, what is due next first."""
        return scheduling.scheduled(self._state)

    def statistics(self) -> BrokerStatistics:
        """A reading of all counters."""
        return collect(self._state)


def _tick(state: State, command: Tick, turn: Turn) -> None:
    del command
    for mailbox in state.agenda.due(turn.now):
        mailbox.wake(turn)
    firing.fire(state, turn)
    silent = state.producers.forget_silent(turn.now)
    if silent:
        turn.records.append(ProducersForgotten(silent))


# The command's type fixes the type that its chapter takes; the table itself cannot say so.
_CHAPTERS: dict[type[Any], Callable[[State, Any, Turn], object]] = {
    Connect: administering.connect,
    Disconnect: administering.disconnect,
    CreateDestination: administering.create_destination,
    DeleteDestination: administering.delete_destination,
    CreateTemporary: temporary.create,
    DeleteTemporary: temporary.delete,
    Purge: administering.purge,
    PutUser: administering.put_user,
    RemoveUser: administering.remove_user,
    Send: sending.send,
    Subscribe: consuming.subscribe,
    CloseConsumer: consuming.close_consumer,
    DeleteSubscription: consuming.delete_subscription,
    Acknowledge: consuming.acknowledge,
    Commit: committing.commit,
    Release: burying.release,
    Bury: burying.bury,
    Retry: burying.retry,
    CancelScheduled: scheduling.cancel,
    DeliverScheduled: firing.deliver_now,
    Fetched: firing.fetched,
    Move: moving.move,
    Remove: moving.remove,
    DeliverNow: moving.deliver_now,
    Pause: administering.pause,
    CreateSubscription: consuming.create_subscription,
    RemoveSubscription: consuming.remove_subscription,
    Browse: browsing.browse,
    Examined: consuming.examined,
    Tick: _tick,
}
