"""The rules by which nobody is active twice and nothing released is lost; each a plain question about a state.

Decided:  Configuration k+1 is decided when it is registered in the memory of the name server in which k was registered,
          or when all members of k promised it.
Rule 1:   A member supports one configuration for a number, ever.  The promise is on its disk before anybody hears it.
Rule 2:   Only a member of k supports a configuration k+1.
Rule 3:   A standby stops acknowledging before it promises to become active, and its log stands still from then on.
Rule 4:   The active releases what is on the disk of every member of the configuration it holds, and of the one it
          promised, which may be decided already.
Rule 5:   A registration counts if k is still there with its seal; else the name server forgot, and who knows what.
          The oldest name of the chain may be removed once there are enough above it: then no name is there without
          all that were decided after it, and to whoever holds a name that is gone it is as if it were forgotten.
Rule 6:   The log of an older epoch beyond the point where the next epoch began was never released: it is truncated.

Why that is safe.  A name with a certain seal is in one memory only, because it was sent in one call.  So of all
registrations of k+1 that count (5) there is one, for names are written once.  If k+1 was decided by consent instead,
each member of k supports only that (1), so nothing else can be registered by somebody who may (2).  Hence the
configurations that are decided form one chain.  Whoever becomes active in k+1 was a member of k, and has everything
that was released in k (4) and before it stopped (3); afterwards the old active lacks its acknowledgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from rmimom.cluster.configuration import Configuration, LogPosition
from rmimom.cluster.state import Phase, State

KEPT = 16
"""How many configurations stay at the name server.  One would be safe; more let a server that was away see by itself
who is active now, and people what happened."""
FORCED_STEP = 1000
"""How far a forced configuration's number is above every number known: far from what others may use meanwhile."""


def may_acknowledge(state: State) -> bool:
    """Rule 3: whether a batch that is on our disk may be acknowledged."""
    if state.promise is not None and not is_consent(state.promise):
        return False
    return state.phase is Phase.FOLLOWING


def may_claim(state: State) -> bool:
    """Rule 2: whether a configuration after the one it holds may come from this server."""
    return state.is_member


def is_consent(promise: Configuration) -> bool:
    """Whether a promise was made to an active that asked for consent, and not to the name server."""
    return bool(promise.seal)


def required(state: State) -> set[str]:
    """Rule 4: who must have a batch on disk before its effects are released.

    Also those that are joining: so they have everything that is released by the time the configuration names them.
    """
    promised = state.promise.members if state.promise else ()
    return {*state.members, *promised, *(server for server, _ in state.joined)} - {state.me}


def releasable(state: State) -> LogPosition:
    """Up to where effects may be released."""
    acked = dict(state.acked)
    return min([state.position, *(acked.get(server, state.released) for server in required(state))])


def remembers(held: Configuration, entries: Iterable[Configuration]) -> bool:
    """Rule 5: whether the name server still has what it had when `held` was decided."""
    return held in entries


def newest_decided(state: State, entries: Sequence[Configuration]) -> Configuration | None:
    """The newest configuration that the name server's answer proves to be decided; None if it proves nothing new."""
    by_number = {entry.number: entry for entry in entries}
    found = None
    if state.held is None:
        # The first has none before it that could be looked for; it counts if it is not late: nothing else is there.
        first = by_number.get(1)
        ours = first is not None and state.promise is not None and first.says_the_same_as(state.promise)
        if first is not None and ours and all(entry.chain == first.chain for entry in entries):
            found = first
    elif remembers(state.held, entries):
        found = state.held
    found = _end_of_chain(found, by_number)
    for entry in entries:
        if entry.forced and (state.held is None or entry.chain == state.held.chain) and entry.number > state.number:
            is_ours = state.promise is not None and entry.says_the_same_as(state.promise)
            if (state.held is not None or is_ours) and (found is None or entry.number > found.number):
                found = _end_of_chain(entry, by_number)
    return found if found is not None and found.number > state.number else None


def _end_of_chain(found: Configuration | None, by_number: dict[int, Configuration]) -> Configuration | None:
    while found is not None:
        following = by_number.get(found.number + 1)
        if following is None or following.chain != found.chain:
            break
        found = following
    return found


def superseded(state: State, entries: Sequence[Configuration]) -> Configuration | None:
    """The configuration whose name may be removed from the name server, which remembers what is held; None if none."""
    held = state.held
    assert held is not None
    chain = [entry for entry in entries if entry.chain == held.chain and entry.number <= held.number]
    return chain[0] if len(chain) > KEPT else None


def goes_on_from(configuration: Configuration, position: LogPosition) -> bool:
    """Rule 6: whether a log that ends at `position` is a beginning of the log of this configuration's active.

    If so the batches after it are enough to catch up; if not, the log has to be replaced by a snapshot.  It may say
    no where yes were true (a log that ends in an epoch long past); that only costs time.
    """
    if position.epoch == configuration.epoch:
        return True
    return position.epoch == configuration.began.epoch and position <= configuration.began


def is_next_to_be_stopped(state: State) -> bool:
    """Whether it wishes to become active and has to stop following first."""
    return state.phase is Phase.FOLLOWING and bool(state.forcing or (state.suspected and may_claim(state)))


def wished(state: State) -> Configuration | None:
    """The configuration that this server wishes after the one it holds, if any."""
    held = state.held
    if held is None or not may_claim(state):
        return None
    if state.phase is Phase.ACTIVE:
        return _switchover(state, held) if state.heir else _other_members(state, held)
    if state.phase is Phase.STOPPED and state.suspected:
        return alone(state, f"taken over from {held.active}: {state.suspected}")
    if state.phase is Phase.IDLE and state.starting:
        return alone(state, "started again")
    return None


def waits_for_witness(state: State) -> bool:
    """Whether something is to be changed that the name server has to answer for: then it should be asked soon."""
    if state.phase is Phase.OUT:
        return False
    return bool(
        state.promise is not None
        or state.starting
        or state.forcing
        or state.held is None
        or state.forgotten
        or (state.suspected and state.is_member)
        or (state.heir and state.drained)
        or (state.phase is Phase.ACTIVE and wished(state) is not None)
    )


def alone(state: State, why: str) -> Configuration:
    """The configuration after the one held, with this server as its only member: a new epoch begins.

    Others may have parts of a log that this server lacks, so they come in later, when that is truncated.
    """
    held = state.held
    assert held is not None
    number = held.number + 1
    return Configuration(
        cluster=state.cluster,
        chain=held.chain,
        number=number,
        active=state.me,
        members=(state.me,),
        epoch=max(number, held.epoch + 1),
        began=state.position,
        why=why,
        addresses=((state.me, state.address),),
    )


def first(state: State, chain: str) -> Configuration:
    """Configuration 1; its epoch is above what the data directory holds from times without a cluster."""
    return Configuration(
        cluster=state.cluster,
        chain=chain,
        number=1,
        active=state.me,
        members=(state.me,),
        epoch=state.position.epoch + 1,
        began=state.position,
        why="first start",
        addresses=((state.me, state.address),),
    )


def forced(state: State, entries: Sequence[Configuration], word: str) -> Configuration:
    """The configuration an operator asked for: above everything that is known, whoever is a member."""
    known = [*entries, *filter(None, (state.held, state.promise))]
    chain = state.held.chain if state.held else entries[-1].chain if entries else word
    number = max([0, *(entry.number for entry in known)]) + FORCED_STEP
    return Configuration(
        cluster=state.cluster,
        chain=chain,
        number=number,
        active=state.me,
        members=(state.me,),
        epoch=max([number, state.position.epoch + 1, *(entry.epoch + 1 for entry in known)]),
        began=state.position,
        why="forced by an operator",
        addresses=((state.me, state.address),),
        forced=True,
    )


def _other_members(state: State, held: Configuration) -> Configuration | None:
    acked, lost = dict(state.acked), dict(state.lost)
    staying = [
        server
        for server in held.standbys
        if server not in lost or (state.wait_for_lost and server not in state.outcast)
    ]
    # Whoever comes in must have what was released; from now on nothing is released without it (rule 4).
    coming = [
        server
        for server, _ in state.joined
        if server not in held.members and acked.get(server, held.began) >= state.released
    ]
    members = (state.me, *staying, *coming)
    if set(members) == set(held.members):
        return None
    reasons = [f"{server} caught up" for server in coming]
    reasons += [f"{server} dropped: {lost[server]}" for server in held.standbys if server not in members]
    return replace(
        held,
        number=held.number + 1,
        members=members,
        why="; ".join(reasons),
        addresses=_addresses(state, members),
        seal="",
    )


def _switchover(state: State, held: Configuration) -> Configuration | None:
    acked = dict(state.acked)
    if not state.drained or state.released != state.position or acked.get(state.heir) != state.position:
        return None
    others = [server for server in held.standbys if server != state.heir and acked.get(server) == state.position]
    members = (state.heir, *((state.me,) if state.stays else ()), *others)
    number = held.number + 1
    return replace(
        held,
        number=number,
        active=state.heir,
        members=members,
        epoch=max(number, held.epoch + 1),
        began=state.position,
        why=f"handed over by {state.me}",
        addresses=_addresses(state, members),
        forced=False,
        seal="",
    )


def _addresses(state: State, members: Sequence[str]) -> tuple[tuple[str, str], ...]:
    known = {**dict(state.held.addresses if state.held else ()), **dict(state.joined), state.me: state.address}
    return tuple(sorted((server, known[server]) for server in members if server in known))


def may_consent(state: State, proposal: Configuration) -> bool:
    """Whether a member may promise what its active proposes without the name server: the same, one number higher."""
    held = state.held
    if held is None or not state.is_member or not is_consent(proposal):
        return False
    if state.promise is not None and state.promise != proposal:
        return False
    return proposal == replace(held, number=held.number + 1, why=proposal.why, forced=False, seal=proposal.seal)


def witness_again(state: State, seal: str) -> Configuration | None:
    """What to ask the members' consent for when the name server forgot; None if it must not be asked.

    What is held must not simply be registered again: somebody may have won the next number before the name server
    forgot it, and could then be beaten to it a second time.  If all members promise the next number to us, nobody has.
    """
    if state.held is None or not may_claim(state):
        return None
    if state.promise is not None:
        is_ours = is_consent(state.promise) and state.promise.active == state.me
        return state.promise if is_ours and state.phase is Phase.ACTIVE else None
    if state.phase is Phase.ACTIVE:
        why = "the name server forgot the configuration before"
        return replace(state.held, number=state.held.number + 1, why=why, forced=False, seal=seal)
    if state.phase is Phase.IDLE and state.starting and state.members == (state.me,):
        return replace(alone(state, "started again, alone"), seal=seal)
    return None
