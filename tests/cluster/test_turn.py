"""What follows when a configuration turns out to be decided, for a server in each phase."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rmimom.cluster.actions import BecomeActive, Follow, Persist, ReadChain, Refuse, Register, StepDown, Tell
from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.state import Phase, State
from rmimom.cluster.turn import Turn

OURS = Configuration(
    cluster="c",
    chain="x",
    number=4,
    active="a",
    members=("a", "b"),
    epoch=4,
    began=LogPosition(3, 7),
    why="it is tested",
    addresses=(("a", "uri-a"), ("b", "uri-b")),
    seal="s4",
)
THEIRS = replace(OURS, active="b", members=("b",))


def turn(phase: Phase, **fields: object) -> Turn:
    """The beginning of a turn of server a, which held the configuration before."""
    before = replace(OURS, number=3, epoch=3, began=NOWHERE, seal="s3")
    given: dict[str, object] = {"held": before, "position": LogPosition(3, 7), "phase": phase, **fields}
    return Turn(State(me="a", cluster="c", **given))  # type: ignore[arg-type]


def kinds(made: Turn) -> list[type]:
    return [type(action) for action in made.end()[1]]


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.FOLLOWING, Phase.STOPPED])
def test_whoever_is_named_becomes_active_where_its_log_ends(phase: Phase) -> None:
    made = turn(phase, suspected="silent", starting=True)
    made.adopt(OURS)
    assert kinds(made) == [Persist, BecomeActive]
    state = made.state
    assert (state.phase, state.held, state.released, state.acked) == (
        Phase.ACTIVE,
        OURS,
        (3, 7),
        (("b", LogPosition(3, 7)),),
    )
    assert (state.suspected, state.starting) == ("", False)


def test_a_log_that_does_not_end_where_the_epoch_begins_cannot_be_served_from() -> None:
    made = turn(Phase.STOPPED, position=LogPosition(3, 6))
    made.adopt(OURS)
    persist, refuse = made.end()[1]
    assert isinstance(persist, Persist)
    assert isinstance(refuse, Refuse)
    assert (made.state.phase, refuse.final, refuse.data) == (Phase.OUT, True, True)
    assert "data was changed or restored" in refuse.why


def test_an_epoch_of_an_earlier_process_is_not_gone_on_with() -> None:
    """What it told is not ours to know: a new epoch is asked for."""
    made = turn(Phase.IDLE, held=replace(OURS, number=3))
    made.adopt(OURS)
    assert kinds(made) == [Persist, ReadChain]
    assert (made.state.phase, made.state.starting) == (Phase.IDLE, True)


def test_an_active_that_is_superseded_steps_down_and_follows() -> None:
    made = turn(Phase.ACTIVE, heir="b", drained=True, joined=(("b", "uri-b"),))
    made.adopt(THEIRS)
    assert kinds(made) == [Persist, StepDown, Tell, Follow]
    assert (made.state.phase, made.state.heir, made.state.joined) == (Phase.FOLLOWING, "", ())
    # Only an heir has to be told.
    made = turn(Phase.ACTIVE)
    made.adopt(THEIRS)
    assert kinds(made) == [Persist, StepDown, Follow]


@pytest.mark.parametrize(("number", "kept"), [(3, False), (4, False), (5, True)])
def test_a_promise_is_kept_while_its_number_is_not_decided(number: int, kept: bool) -> None:
    promise = replace(OURS, number=number, seal="")
    made = turn(Phase.STOPPED, promise=promise)
    made.adopt(THEIRS)
    assert made.state.promise == (promise if kept else None)


def test_what_was_decided_by_consent_is_registered_by_its_proposer_alone() -> None:
    held = replace(OURS, number=3)
    made = turn(Phase.ACTIVE, held=held, promise=OURS)
    made.adopt(OURS)
    assert made.end()[1][-1] == Register(OURS)
    made = turn(Phase.ACTIVE, held=held)
    made.adopt(OURS)
    assert Register not in kinds(made)


def test_nothing_is_refused_twice_and_the_chain_read_once() -> None:
    made = turn(Phase.FOLLOWING)
    for _ in range(2):
        made.refuse("not now")
        made.do(ReadChain())
    assert made.end()[1] == (Refuse("not now"), ReadChain())


def test_a_switchover_that_is_promised_is_not_aborted() -> None:
    made = turn(Phase.ACTIVE, heir="b", drained=True, promise=THEIRS)
    made.abort_switchover("why not")
    assert (made.state.heir, made.end()[1]) == ("b", ())
