"""A turn: what one event makes of a member, its state and what is to be done, and what follows from a decision.

A configuration that was decided makes of this server what it says, whatever it was before: see `Turn.adopt`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rmimom.cluster import rules
from rmimom.cluster.actions import (
    Action,
    BecomeActive,
    Follow,
    Persist,
    ReadChain,
    Reconfigured,
    Refuse,
    Register,
    Release,
    ResumeDeciding,
    StepDown,
    Tell,
)
from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.state import Phase, State


class Turn:
    """The state while one event is handled, and the actions so far."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.actions: list[Action] = []

    def change(self, **fields: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)

    def do(self, action: Action) -> None:
        if not (isinstance(action, ReadChain) and action in self.actions):
            self.actions.append(action)

    def end(self) -> tuple[State, tuple[Action, ...]]:
        return self.state, tuple(self.actions)

    def refuse(self, why: str) -> None:
        """Say that a wish cannot be fulfilled; once, not at each attempt."""
        if self.state.refusal != why:
            self.change(refusal=why)
            self.do(Refuse(why))

    def give_up(self, why: str, *, data: bool = True) -> None:
        if self.state.phase is Phase.ACTIVE:
            self.do(StepDown(why))
        self.change(phase=Phase.OUT, refusal=why)
        self.do(Refuse(why, final=True, data=data))

    def promise(self, configuration: Configuration) -> None:
        self.change(promise=configuration, consents=(), refusal="")
        self.do(Persist(self.state.held, configuration))

    def claim(self, seal: str) -> None:
        promise = self.state.promise
        assert promise is not None
        self.do(Register(promise.sealed(seal)))

    # -- a configuration was decided -------------------------------------------------------------------------------

    def adopt(self, configuration: Configuration) -> None:
        """Hold a configuration that is decided and newer than what was held, and be what it makes of this server."""
        before = self.state
        promise = before.promise
        if promise is not None and promise.number <= configuration.number:
            promise = None
        self.change(held=configuration, promise=promise, consents=(), refusal="", forgotten=False)
        self.do(Persist(configuration, promise))
        if configuration.active == before.me:
            self._adopt_as_active(before, configuration)
        else:
            self._adopt_as_follower(before, configuration)
        if configuration == before.promise and configuration.active == before.me and self.state.phase is Phase.ACTIVE:
            # Decided by consent to what this server proposed, however it heard of it: it alone registers it, once.
            self.do(Register(configuration))

    def _adopt_as_active(self, before: State, configuration: Configuration) -> None:
        epoch = before.held.epoch if before.held else 0
        if before.phase is Phase.ACTIVE and configuration.epoch == epoch:
            self._reconfigure(configuration)
        elif configuration.epoch == epoch:
            # An earlier process of this server was active in this epoch; its effects are not ours to release.
            self.change(phase=Phase.IDLE, starting=True, suspected="")
            self.do(ReadChain())
        elif configuration.began != before.position:
            self.give_up(
                f"this server should be active from {tuple(configuration.began)} in configuration"
                f" {configuration.number}, but its log ends at {tuple(before.position)}: its data was"
                " changed or restored"
            )
        else:
            if before.phase is Phase.ACTIVE:
                self.do(StepDown("an operator forced a new epoch"))
            # Whoever is a member of a new epoch was chosen because its log ends where the epoch begins.
            acked = tuple((server, configuration.began) for server in configuration.standbys)
            self._forget_wishes()
            self.change(phase=Phase.ACTIVE, released=configuration.began, acked=acked)
            self.do(BecomeActive(configuration))

    def _reconfigure(self, configuration: Configuration) -> None:
        state = self.state
        interesting = {*configuration.members, *(server for server, _ in state.joined)}
        lost = tuple(pair for pair in state.lost if pair[0] in configuration.members)
        self.change(
            acked=tuple(pair for pair in state.acked if pair[0] in interesting),
            lost=lost,
            outcast=tuple(server for server in state.outcast if server in configuration.members),
        )
        self.do(Reconfigured(configuration))
        for server in configuration.standbys:
            if server not in dict(lost):
                self.do(Tell(server, configuration))
        self.release()
        if rules.waits_for_witness(self.state):
            self.do(ReadChain())

    def _adopt_as_follower(self, before: State, configuration: Configuration) -> None:
        if before.phase is Phase.ACTIVE:
            self.do(StepDown(f"{configuration.active} is active in configuration {configuration.number}"))
            if before.heir == configuration.active:
                self.do(Tell(configuration.active, configuration))
        same = before.held is not None and before.held.epoch == configuration.epoch
        if same and before.phase is Phase.FOLLOWING:
            return
        if same and before.phase in (Phase.STOPPING, Phase.STOPPED) and self.state.is_member and before.suspected:
            self.do(ReadChain())
            return
        self._forget_wishes()
        self.change(phase=Phase.FOLLOWING)
        self.do(Follow(configuration))

    def _forget_wishes(self) -> None:
        self.change(
            starting=False,
            suspected="",
            forcing=False,
            released=NOWHERE,
            acked=(),
            joined=(),
            lost=(),
            outcast=(),
            heir="",
            stays=True,
            drained=False,
        )

    # -- serving ---------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Release what may be released, if there is more of it now."""
        position = rules.releasable(self.state)
        if position > self.state.released:
            self.change(released=position)
            self.do(Release(position))

    def abort_switchover(self, why: str) -> None:
        """Go on serving, if the switchover is not promised yet."""
        if self.state.heir and (self.state.promise is None or self.state.promise.active == self.state.me):
            self.change(heir="", stays=True, drained=False)
            self.do(ResumeDeciding(why))

    def note_acked(self, server: str, position: LogPosition) -> None:
        acked = dict(self.state.acked)
        acked[server] = max(acked.get(server, NOWHERE), position)
        self.change(acked=tuple(sorted(acked.items())))
