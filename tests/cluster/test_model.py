"""The protocol of active and standby, looked at from every side: all orders of events within small bounds.

`--model-worlds N` looks at up to N worlds for each plan, with larger bounds; each run prints what it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.cluster_model import Bounds, Model

from rmimom.cluster import member, rules
from rmimom.cluster.actions import Register
from rmimom.cluster.configuration import Configuration, LogPosition
from rmimom.cluster.events import ChainRead
from rmimom.cluster.state import Phase, State
from rmimom.cluster.turn import Turn

pytestmark = pytest.mark.timeout(600)

WORLDS = 100_000
"""More than any of the plans has that CI goes through."""

PLANS: dict[str, tuple[int, Bounds]] = {
    "a crash": (2, Bounds(batches=1, crashes=1, calls=2)),
    "a wrong suspicion": (2, Bounds(batches=1, suspicions=1, calls=2)),
    "a suspicion taken back": (2, Bounds(batches=1, suspicions=1, relents=1, calls=1)),
    "a suspicion and a name server that forgets": (2, Bounds(batches=1, suspicions=1, forgets=1, calls=2)),
    "a switchover and a crash": (2, Bounds(batches=1, switchovers=1, crashes=1, calls=1)),
    "a broken connection": (2, Bounds(batches=1, breaks=1, outages=1, calls=2)),
    "three servers and a wrong suspicion": (3, Bounds(batches=1, suspicions=1, calls=1)),
}

REMOVING: dict[str, tuple[int, Bounds]] = {
    "a crash, old names are removed": (2, Bounds(batches=1, crashes=1, calls=2)),
    "a wrong suspicion, old names are removed": (2, Bounds(batches=1, suspicions=1, calls=2)),
}
"""With one name kept, the fewest that there can be."""

MORE: dict[str, tuple[int, Bounds]] = {
    "a crash and a name server that forgets": (2, Bounds(batches=1, crashes=1, forgets=1, calls=2)),
    "two batches, a crash and a suspicion": (2, Bounds(batches=2, crashes=1, suspicions=1, calls=2)),
    "two crashes": (2, Bounds(batches=1, crashes=2, calls=3)),
    "much trouble with the name server": (2, Bounds(batches=1, suspicions=1, forgets=2, outages=1, calls=3)),
    "a switchover and much else": (2, Bounds(batches=1, switchovers=1, suspicions=1, forgets=1, calls=3)),
    "three servers and two suspicions": (3, Bounds(batches=1, suspicions=2, calls=2)),
    "three servers and a crash": (3, Bounds(batches=1, crashes=1, calls=2)),
}


@pytest.mark.parametrize("plan", [*PLANS, *REMOVING, *MORE])
def test_no_order_of_events_breaks_a_promise(
    plan: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = request.config.getoption("--model-worlds")
    if plan in MORE and not more:
        pytest.skip("only with --model-worlds")
    servers, bounds = {**PLANS, **REMOVING, **MORE}[plan]
    model = Model(servers)
    start = model.pair_in_sync(bounds)
    if plan in REMOVING:
        monkeypatch.setattr(rules, "KEPT", 1)
        model.forget_what_was_handled()
    result = model.explore(start, more or WORLDS)
    extent = "all of them" if result.whole else "not all"
    print(f"{plan}: {result.worlds} worlds ({extent}), {result.steps} steps, {result.depth} deep")
    assert result.violation == "", "\n".join(result.story)
    assert result.whole or more


def test_the_first_start_breaks_no_promise() -> None:
    model = Model(2)
    result = model.explore(model.first_world(Bounds(batches=1, calls=3, looks=1)), WORLDS)
    print(f"the first start: {result.worlds} worlds, {result.steps} steps, {result.depth} deep")
    assert (result.violation, result.whole) == ("", True)


def test_what_has_to_work_does() -> None:
    """A world in which nothing may happen would keep every promise."""
    model = Model(2)
    bounds = Bounds(batches=1, crashes=1, calls=2)
    seen = set()
    for world, _ in model.walk(model.pair_in_sync(bounds), WORLDS):
        for index, node in enumerate(world.nodes):
            if node.state >= 0:
                state = model.state(node)
                seen.add((index, state.phase, len(state.members), len(world.history), state.number))
    assert (1, Phase.ACTIVE, 1, 1, 3) in seen  # B took over, and a batch was released by it or before
    assert (1, Phase.ACTIVE, 2, 1, 4) in seen  # A came back, caught up, and is in sync again
    assert (0, Phase.FOLLOWING, 2, 1, 4) in seen
    assert (0, Phase.ACTIVE, 1, 1, 3) in seen  # B crashed, and A went on alone


Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: list[tuple[Plant, Bounds, dict[str, Any]]] = []


def bug(bounds: Bounds, **model: Any) -> Callable[[Plant], Plant]:
    """Note a bug, and the bounds within which it must be found."""

    def note(plant: Plant) -> Plant:
        BUGS.append((plant, bounds, model))
        return plant

    return note


@bug(Bounds(batches=1, suspicions=1, calls=2))
def acknowledging_after_having_promised(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "may_acknowledge", lambda state: state.phase in (Phase.FOLLOWING, Phase.STOPPED))


@bug(Bounds(batches=1, breaks=1, suspicions=1, calls=2))
def a_claim_by_a_server_that_is_not_a_member(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "may_claim", lambda state: state.held is not None)


@bug(Bounds(batches=1, suspicions=1, forgets=1, calls=3))
def registering_again_what_is_held(patch: pytest.MonkeyPatch) -> None:
    def forgotten(turn: Turn, _event: ChainRead) -> None:
        if turn.state.phase is Phase.ACTIVE:
            assert turn.state.held is not None
            turn.do(Register(turn.state.held))

    patch.setattr(member, "_forgotten", forgotten)


@bug(Bounds(batches=1, suspicions=1, forgets=1, calls=2))
def claiming_from_a_name_server_that_forgot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "remembers", lambda _held, _entries: True)


@bug(Bounds(batches=1, suspicions=1, calls=1))
def releasing_before_the_standby_has_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "required", lambda _state: set())


@bug(Bounds(batches=2, crashes=1, calls=2))
def not_truncating(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "goes_on_from", lambda _configuration, _position: True)


@bug(Bounds(batches=1, suspicions=1, calls=2), write_once=False)
def names_that_are_written_twice(_patch: pytest.MonkeyPatch) -> None:
    pass


@bug(Bounds(batches=1, breaks=1, calls=2))
def naming_a_standby_in_sync_while_releasing_without_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "required", lambda state: set(state.members) - {state.me})


@bug(Bounds(batches=1, suspicions=1, calls=2))
def taking_over_together_with_others(patch: pytest.MonkeyPatch) -> None:
    alone = rules.alone

    def together(state: State, why: str) -> Configuration:
        return rules.replace(alone(state, why), members=(state.me, *(m for m in state.members if m != state.me)))

    patch.setattr(rules, "alone", together)


@bug(Bounds(batches=1, suspicions=1, calls=2))
def removing_a_name_that_is_not_the_oldest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "superseded", lambda state, entries: state.held if len(entries) > 2 else None)


@pytest.mark.parametrize(("plant", "bounds", "options"), BUGS, ids=[plant.__name__ for plant, _, _ in BUGS])
def test_a_planted_bug_is_found(
    plant: Plant, bounds: Bounds, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(2, **options)
    start = model.pair_in_sync(bounds)
    plant(monkeypatch)
    model.forget_what_was_handled()
    result = model.explore(start, 10 * WORLDS)
    print(f"found after {result.worlds} worlds, {result.depth} steps: {result.violation}")
    print("\n".join(result.story))
    assert result.violation


def test_goes_on_from() -> None:
    """Rule 6."""
    third = rules.first(State(me="A", cluster="c", position=LogPosition(2, 7)), "x")
    assert (third.epoch, third.began) == (3, (2, 7))
    ends = {(3, 9): True, (2, 7): True, (2, 3): True, (2, 8): False, (1, 1): False}
    assert {end: rules.goes_on_from(third, LogPosition(*end)) for end in ends} == ends
