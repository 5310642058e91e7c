"""One server of a cluster: what it learns goes in, what it wants done comes out.

    event ─► handle(state, event) ─► (state, actions)

No I/O, no clock, no chance: those who call do what the actions say, one after the other, and hand in what comes of it.
`rules.py` says why the result is safe; this module says what happens when.

idle ──────► active        the first start, a restart of the last active, or an operator's force
following ─► stopping ─► stopped ─► active      the active is suspected
following ─► active        the active handed over
active ────► following     somebody else was decided to be active
any ───────► out           the data cannot be used in this cluster
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rmimom.cluster import rules
from rmimom.cluster.actions import (
    Acknowledge,
    Action,
    AskConsent,
    Follow,
    GiveConsent,
    ReadChain,
    Refuse,
    Remove,
    Report,
    StopAcknowledging,
    StopDeciding,
    Tell,
)
from rmimom.cluster.configuration import NOWHERE
from rmimom.cluster.events import (
    Acknowledged,
    ChainRead,
    ConsentAsked,
    ConsentGiven,
    Drained,
    Event,
    Force,
    HandOver,
    Heard,
    Joined,
    Lost,
    NameServerAway,
    Stopped,
    Stored,
    Suspected,
    Told,
)
from rmimom.cluster.state import Phase, State
from rmimom.cluster.turn import Turn


class Member:
    """A server's place in the cluster, for those who want to keep the state in one object."""

    def __init__(self, state: State) -> None:
        self.state = state

    def start(self, *, may_begin: bool) -> tuple[Action, ...]:
        """See `start`."""
        self.state, actions = start(self.state, may_begin=may_begin)
        return actions

    def handle(self, event: Event) -> tuple[Action, ...]:
        """See `handle`."""
        self.state, actions = handle(self.state, event)
        return actions


def start(state: State, *, may_begin: bool) -> tuple[State, tuple[Action, ...]]:
    """Begin with what is on the disk: `held`, `promise` and `position`.

    `may_begin` (`--active`): if there is no configuration at all, this server may make the first.
    """
    turn = Turn(state)
    held = state.held
    if held is None:
        turn.change(starting=may_begin)
    elif held.active == state.me:
        turn.change(starting=True)
    else:
        turn.change(phase=Phase.FOLLOWING if rules.may_acknowledge(_following(state)) else Phase.STOPPED)
        if turn.state.phase is Phase.FOLLOWING:
            turn.do(Follow(held))
    turn.do(ReadChain())
    return turn.end()


def handle(state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """What an event changes, and what is to be done, in this order."""
    turn = Turn(state)
    if state.phase is not Phase.OUT:
        _HANDLERS[type(event)](turn, event)
    return turn.end()


def _following(state: State) -> State:
    return msgspec.structs.replace(state, phase=Phase.FOLLOWING)


# -- the name server ---------------------------------------------------------------------------------------------------


def _chain_read(turn: Turn, event: ChainRead) -> None:
    newest = rules.newest_decided(turn.state, event.entries)
    if newest is not None:
        turn.adopt(newest)
    state = turn.state
    if state.phase is Phase.OUT:
        return
    if state.forcing and _force_on(turn, event):
        return
    if state.held is None:
        _begin(turn, event)
    elif rules.remembers(state.held, event.entries):
        turn.change(forgotten=False)
        _go_on(turn, event)
    else:
        _forgotten(turn, event)


def _begin(turn: Turn, event: ChainRead) -> None:
    """Nothing is held: the first start of this server."""
    state, others = turn.state, event.entries
    if others:
        newest = others[-1]
        if state.starting:
            where = newest.address_of(newest.active).rpartition("@")[2] or "a place that it does not tell"
            turn.give_up(
                f"server {newest.active} at {where} is active in cluster {state.cluster} (configuration"
                f" {newest.number}); start this server with --standby to have it follow that one, or give it another"
                " --cluster",
                data=False,
            )
        else:
            turn.do(Follow(newest, hint=True))
    elif state.starting:
        if state.promise is None:
            turn.promise(rules.first(state, chain=event.seal))
        turn.claim(event.seal)
    else:
        turn.refuse(f"no server of cluster {state.cluster} is known yet; start one with --active")


def _go_on(turn: Turn, event: ChainRead) -> None:
    """The name server remembers what is held, and it is the newest."""
    state = turn.state
    if state.promise is not None:
        if not rules.is_consent(state.promise):
            turn.claim(event.seal)
        elif state.phase is Phase.ACTIVE:
            _ask_consent(turn)
        return
    if rules.is_next_to_be_stopped(state):
        turn.change(phase=Phase.STOPPING)
        turn.do(StopAcknowledging())
        return
    wish = rules.wished(state)
    if wish is not None:
        turn.promise(wish)
        turn.claim(event.seal)
    elif state.suspected and not rules.may_claim(state):
        turn.refuse("the active is not heard, but this server was not in sync with it and may not take its place")
    elif state.phase is Phase.ACTIVE:
        superseded = rules.superseded(state, event.entries)
        if superseded is not None:
            turn.do(Remove(superseded))


def _forgotten(turn: Turn, event: ChainRead) -> None:
    """The name server does not know what is held: nothing can be changed there."""
    state = turn.state
    assert state.held is not None
    if any(entry.chain != state.held.chain for entry in event.entries):
        turn.refuse(f"the name server has another cluster under the name {state.cluster}")
        return
    proposal = rules.witness_again(state, event.seal)
    if proposal is not None:
        if state.promise is None:
            turn.promise(proposal)
            turn.do(Report("the name server forgot the configurations of the cluster; registering the next one"))
        turn.change(forgotten=True)
        _ask_consent(turn)
        return
    if state.phase is Phase.ACTIVE:
        turn.change(forgotten=True)
    if state.promise is not None or state.suspected or state.starting:
        turn.refuse(
            f"the name server does not know configuration {state.number}, so somebody else may be active already; if"
            " nobody is, an operator may say so: rmimom-admin cluster promote --force"
        )
    if state.phase is not Phase.ACTIVE and event.entries and event.entries[-1].number > state.number:
        newest = event.entries[-1]
        if newest.active != state.me:
            turn.do(Follow(newest, hint=True))


def _ask_consent(turn: Turn) -> None:
    """Ask the other members for their promise; if there are none, ours is all that is needed."""
    state = turn.state
    promise = state.promise
    assert promise is not None
    given = (state.me, *state.consents)
    if set(given) >= set(state.members):
        turn.adopt(promise)
        return
    for server in state.members:
        if server not in given:
            turn.do(AskConsent(server, promise, given))


def _name_server_away(turn: Turn, event: NameServerAway) -> None:
    state = turn.state
    if state.phase is Phase.IDLE and state.starting:
        proposal = rules.witness_again(state, event.seal)
        if proposal is not None and state.promise is None:
            # The only member needs nobody's leave; the others find it when the name server is back.
            turn.promise(proposal)
            _ask_consent(turn)
            return
    turn.abort_switchover("the name server does not answer")
    if rules.waits_for_witness(turn.state):
        turn.refuse("the name server does not answer; nothing can be changed before it does")


def _told(turn: Turn, event: Told) -> None:
    state, told = turn.state, event.configuration
    if state.held is None:
        if state.position != NOWHERE:
            turn.give_up("the data directory holds data of another server; a standby begins with an empty one")
            return
        turn.adopt(told)
    elif told.chain != state.held.chain:
        turn.give_up("the data directory belongs to another cluster of the same name")
    elif told.number > state.number:
        turn.adopt(told)
    elif told.number == state.number and told != state.held:
        turn.do(Report(f"two configurations {told.number} are said to be decided: was one forced?", loud=True))


# -- the log -----------------------------------------------------------------------------------------------------------


def _stored(turn: Turn, event: Stored) -> None:
    turn.change(position=event.position)
    if turn.state.phase is Phase.ACTIVE:
        turn.release()
    elif rules.may_acknowledge(turn.state):
        turn.do(Acknowledge(event.position))


def _acknowledged(turn: Turn, event: Acknowledged) -> None:
    state = turn.state
    interesting = rules.required(state)
    if state.phase is not Phase.ACTIVE or event.server not in interesting:
        return
    before = dict(state.acked).get(event.server, NOWHERE)
    turn.note_acked(event.server, event.position)
    turn.release()
    if event.server not in state.members and before < turn.state.released <= event.position:
        turn.do(ReadChain())
    if state.heir and state.drained:
        turn.do(ReadChain())


def _joined(turn: Turn, event: Joined) -> None:
    state = turn.state
    if state.phase is not Phase.ACTIVE:
        return
    acked = dict(state.acked).get(event.server)
    if event.server in rules.required(state) and acked is not None and event.position < acked:
        why = f"it acknowledged {tuple(acked)} and came back with {tuple(event.position)}: its disk lost data"
        turn.do(Report(f"standby {event.server}: {why}", loud=True))
        _lost(turn, Lost(event.server, why, for_good=True))
        return
    turn.change(
        joined=tuple(sorted({**dict(state.joined), event.server: event.address}.items())),
        lost=tuple(pair for pair in state.lost if pair[0] != event.server),
        outcast=tuple(server for server in state.outcast if server != event.server),
    )
    turn.note_acked(event.server, event.position)
    turn.release()
    if rules.waits_for_witness(turn.state):
        turn.do(ReadChain())


def _lost(turn: Turn, event: Lost) -> None:
    state = turn.state
    if state.phase is not Phase.ACTIVE:
        return
    turn.change(joined=tuple(pair for pair in state.joined if pair[0] != event.server))
    if event.server in rules.required(turn.state):
        turn.change(lost=tuple(sorted({**dict(state.lost), event.server: event.why}.items())))
        if event.for_good:
            turn.change(outcast=tuple(sorted({*state.outcast, event.server})))
    else:
        # It may come back with another log: what it acknowledged says nothing any more.
        turn.change(acked=tuple(pair for pair in state.acked if pair[0] != event.server))
    if event.server == state.heir:
        turn.abort_switchover(f"{event.server} is lost: {event.why}")
    turn.release()
    if rules.waits_for_witness(turn.state):
        turn.do(ReadChain())


# -- becoming active ---------------------------------------------------------------------------------------------------


def _suspected(turn: Turn, event: Suspected) -> None:
    if turn.state.phase in (Phase.FOLLOWING, Phase.STOPPING, Phase.STOPPED):
        turn.change(suspected=event.why or "not heard")
        turn.do(ReadChain())


def _heard(turn: Turn, _event: Heard) -> None:
    state = turn.state
    turn.change(suspected="")
    if state.phase is Phase.STOPPED and state.promise is None and not state.forcing:
        assert state.held is not None
        turn.change(phase=Phase.FOLLOWING)
        turn.do(Follow(state.held))


def _stopped(turn: Turn, event: Stopped) -> None:
    if turn.state.phase is not Phase.STOPPING:
        return
    turn.change(phase=Phase.STOPPED, position=event.position)
    if turn.state.suspected or turn.state.forcing:
        turn.do(ReadChain())
    else:
        _heard(turn, Heard())


def _hand_over(turn: Turn, event: HandOver) -> None:
    state = turn.state
    if state.phase is not Phase.ACTIVE:
        turn.do(Refuse("only the active can hand over"))
    elif state.heir or state.promise is not None:
        turn.do(Refuse("another change of the configuration is under way; try again in a moment"))
    elif event.to == state.me or event.to not in state.members or event.to in dict(state.lost):
        turn.do(Refuse(f"{event.to} is not a standby in sync; wait until it has caught up"))
    else:
        turn.change(heir=event.to, stays=event.stay, drained=False)
        turn.do(StopDeciding())


def _drained(turn: Turn, event: Drained) -> None:
    if turn.state.phase is Phase.ACTIVE and turn.state.heir:
        turn.change(position=event.position, drained=True)
        turn.release()
        turn.do(ReadChain())


def _force(turn: Turn, _event: Force) -> None:
    if turn.state.phase is Phase.ACTIVE:
        turn.do(Refuse("this server is active already"))
        return
    turn.change(forcing=True)
    turn.do(Report("an operator forces this server to become active; whatever it lacks is lost", loud=True))
    turn.do(ReadChain())


def _force_on(turn: Turn, event: ChainRead) -> bool:
    """Do what the operator asked for; whether anything is left to be done."""
    state = turn.state
    if state.phase is Phase.ACTIVE:
        return False
    if rules.is_next_to_be_stopped(state):
        turn.change(phase=Phase.STOPPING)
        turn.do(StopAcknowledging())
    elif state.phase is not Phase.STOPPING:
        if state.promise is None or not state.promise.forced:
            turn.promise(rules.forced(state, event.entries, event.seal))
        turn.claim(event.seal)
    return True


# -- consent -----------------------------------------------------------------------------------------------------------


def _consent_asked(turn: Turn, event: ConsentAsked) -> None:
    state, proposal = turn.state, event.configuration
    if state.held is not None and proposal.number <= state.held.number and proposal.active != state.me:
        if proposal == state.held:
            turn.do(GiveConsent(proposal.active, proposal))
        else:
            turn.do(Tell(proposal.active, state.held))
        return
    if proposal.active == state.me or not rules.may_consent(state, proposal):
        return
    if state.promise is None:
        turn.promise(proposal)
    if {*event.given, state.me} >= set(state.members):
        turn.adopt(proposal)
    turn.do(GiveConsent(proposal.active, proposal))


def _consent_given(turn: Turn, event: ConsentGiven) -> None:
    state = turn.state
    if state.phase is not Phase.ACTIVE or state.promise is None or state.promise != event.configuration:
        return
    if event.server in state.members and event.server not in state.consents:
        turn.change(consents=tuple(sorted((*state.consents, event.server))))
        if {state.me, *turn.state.consents} >= set(state.members):
            turn.adopt(state.promise)


_HANDLERS: Final[dict[type[Event], Callable[[Turn, Any], None]]] = {
    ChainRead: _chain_read,
    NameServerAway: _name_server_away,
    Told: _told,
    Stored: _stored,
    Acknowledged: _acknowledged,
    Joined: _joined,
    Lost: _lost,
    Suspected: _suspected,
    Heard: _heard,
    Stopped: _stopped,
    HandOver: _hand_over,
    Drained: _drained,
    Force: _force,
    ConsentAsked: _consent_asked,
    ConsentGiven: _consent_given,
}
