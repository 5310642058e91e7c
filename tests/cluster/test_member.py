"""One member of a cluster, event by event; that all of them together keep their promises is shown by test_model.py."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rmimom.cluster import rules
from rmimom.cluster.actions import (
    Acknowledge,
    Action,
    AskConsent,
    BecomeActive,
    Follow,
    GiveConsent,
    Persist,
    ReadChain,
    Reconfigured,
    Refuse,
    Register,
    Release,
    Remove,
    Report,
    ResumeDeciding,
    StepDown,
    StopAcknowledging,
    StopDeciding,
    Tell,
)
from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
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
from rmimom.cluster.member import Member
from rmimom.cluster.state import Phase, State

FIRST = Configuration(
    cluster="c",
    chain="x",
    number=1,
    active="a",
    members=("a",),
    epoch=1,
    began=NOWHERE,
    why="first start",
    addresses=(("a", "uri-a"),),
    seal="s1",
)
PAIR = replace(
    FIRST, number=2, members=("a", "b"), why="b caught up", addresses=(("a", "uri-a"), ("b", "uri-b")), seal="s2"
)


def at(sequence: int, epoch: int = 1) -> LogPosition:
    """A place in the log."""
    return LogPosition(epoch, sequence)


def server(name: str, **fields: Any) -> Member:
    """A server with something on its disk, started."""
    member = Member(State(me=name, cluster="c", address=f"uri-{name}", **fields))
    member.start(may_begin=name == "a")
    return member


def chain(*entries: Configuration, seal: str = "new") -> ChainRead:
    """An answer of the name server."""
    return ChainRead(entries, seal)


def active(*others: str, **fields: Any) -> Member:
    """Server a, active in a configuration with others, all of which have what it has: one batch."""
    member = server("a", **fields)
    member.handle(chain(seal="x"))
    member.handle(chain(FIRST))
    tell(member, Stored(at(1)))
    entries = [FIRST]
    for number, other in enumerate(others, 2):
        tell(member, Joined(other, f"uri-{other}", at(1)), chain(*entries, seal=f"s{number}"))
        promise = member.state.promise
        assert promise is not None
        entries.append(promise.sealed(f"s{number}"))
        tell(member, chain(*entries))
    assert member.state.members == ("a", *others)
    return member


def tell(member: Member, *events: Event) -> list[Action]:
    """What the events make of it."""
    return [action for event in events for action in member.handle(event)]


def kinds(actions: list[Action] | tuple[Action, ...]) -> list[type[Action]]:
    """Only their kinds."""
    return [type(action) for action in actions]


def test_the_first_start_claims_configuration_1() -> None:
    member = Member(State(me="a", cluster="c", address="uri-a"))
    assert member.start(may_begin=True) == (ReadChain(),)
    wanted = replace(FIRST, seal="")
    assert member.handle(chain(seal="x")) == (Persist(None, wanted), Register(replace(wanted, seal="x")))
    assert member.handle(chain(FIRST)) == (Persist(FIRST, None), BecomeActive(FIRST))
    assert not rules.waits_for_witness(member.state)


def test_a_data_directory_without_a_cluster_begins_a_new_epoch() -> None:
    member = server("a", position=at(9, epoch=4))
    register = tell(member, chain(seal="x"))[-1]
    assert isinstance(register, Register)
    assert (register.configuration.epoch, register.configuration.began) == (5, at(9, epoch=4))


def test_a_second_active_is_told_who_is() -> None:
    member = Member(State(me="z", cluster="c"))
    member.start(may_begin=True)
    (refused,) = member.handle(chain(FIRST, PAIR))
    assert isinstance(refused, Refuse)
    assert refused.final
    assert "a is active" in refused.why
    assert "--standby" in refused.why
    assert member.handle(chain(FIRST)) == ()


def test_a_lost_race_for_the_first_configuration_is_no_victory() -> None:
    member = server("a")
    tell(member, chain(seal="x"))
    assert kinds(tell(member, chain(replace(FIRST, active="z", members=("z",))))) == [Refuse]
    assert member.state.phase is Phase.OUT


def test_a_standby_follows_a_rumour_until_it_is_told() -> None:
    member = server("b")
    assert kinds(member.handle(chain())) == [Refuse]
    assert member.handle(chain(FIRST)) == (Follow(FIRST, hint=True),)
    assert member.handle(Told(FIRST)) == (Persist(FIRST, None), Follow(FIRST))
    assert member.handle(Stored(at(3))) == (Acknowledge(at(3)),)


def test_a_standby_with_foreign_data_is_refused() -> None:
    assert kinds(tell(server("b", position=at(1)), Told(FIRST))) == [Refuse]
    other = replace(PAIR, chain="y", number=9)
    assert kinds(tell(server("b", held=PAIR), Told(other))) == [Refuse]
    assert "another cluster" in server("b", held=PAIR, suspected="x").handle(chain(other))[0].why  # type: ignore[union-attr]


def test_a_joining_standby_is_waited_for_before_it_is_named() -> None:
    member = active()
    assert tell(member, Joined("b", "uri-b", at(1))) == [ReadChain()]
    assert tell(member, Stored(at(2))) == []
    assert tell(member, Acknowledged("b", at(2))) == [Release(at(2)), ReadChain()]
    wanted = replace(PAIR, seal="")
    assert tell(member, chain(FIRST, seal="s2")) == [Persist(FIRST, wanted), Register(PAIR)]
    assert tell(member, chain(FIRST, PAIR)) == [Persist(PAIR, None), Reconfigured(PAIR), Tell("b", PAIR)]
    # One that goes away before it is promised anything is not waited for.
    assert tell(member, Joined("d", "uri-d", at(2)), Stored(at(3)), Acknowledged("b", at(3))) == [ReadChain()]
    assert tell(member, Lost("d", "gone")) == [Release(at(3))]


def test_a_lost_standby_is_dropped_before_anything_is_released_without_it() -> None:
    member = active("b")
    held = member.state.held
    assert held is not None
    assert tell(member, Stored(at(2))) == []
    assert tell(member, Lost("b", "too slow")) == [ReadChain()]
    persist, register = tell(member, chain(FIRST, held, seal="s3"))
    assert isinstance(persist, Persist)
    assert isinstance(register, Register)
    alone = register.configuration
    assert (alone.number, alone.members, alone.epoch, alone.why) == (3, ("a",), 1, "b dropped: too slow")
    assert tell(member, NameServerAway("s4"))[0] == Refuse(
        "the name server does not answer; nothing can be changed before it does"
    )
    # The answer was lost, and it is asked again; whoever reads the same text under any seal has won.
    assert tell(member, chain(FIRST, held, seal="s5")) == [Register(alone.sealed("s5"))]
    assert tell(member, chain(FIRST, held, alone)) == [
        Persist(alone, None),
        Reconfigured(alone),
        Release(at(2)),
    ]


def test_a_pair_goes_on_without_the_name_server() -> None:
    member = active("b")
    assert tell(member, NameServerAway("s"), Stored(at(2)), Acknowledged("b", at(2))) == [Release(at(2))]


def test_with_wait_a_lost_standby_is_waited_for() -> None:
    member = active("b", wait_for_lost=True)
    held = member.state.held
    assert held is not None
    assert tell(member, Stored(at(2)), Lost("b", "gone"), chain(FIRST, held)) == []
    assert tell(member, Joined("b", "uri-b", at(2))) == [Release(at(2))]
    # One whose disk lost what it had acknowledged cannot come back as it is, and is dropped even so.
    assert kinds(tell(member, Lost("b", "gone"), Joined("b", "uri-b", at(1)))) == [Report, ReadChain]
    assert kinds(tell(member, chain(FIRST, held))) == [Persist, Register]
    # So is one that the server knows to need a snapshot.
    member = active("b", wait_for_lost=True)
    assert tell(member, Lost("b", "away for too long", for_good=True)) == [ReadChain()]


def test_a_suspicion_becomes_a_takeover() -> None:
    member = server("b", held=PAIR, position=at(5))
    assert member.state.phase is Phase.FOLLOWING
    assert tell(member, Suspected("silent")) == [ReadChain()]
    assert tell(member, chain(FIRST, PAIR)) == [StopAcknowledging()]
    assert tell(member, Stored(at(6))) == []
    assert tell(member, Stopped(at(6))) == [ReadChain()]
    persist, register = tell(member, chain(FIRST, PAIR, seal="s3"))
    assert isinstance(register, Register)
    mine = register.configuration
    assert persist == Persist(PAIR, mine.sealed(""))
    assert (mine.number, mine.members, mine.epoch, mine.began) == (3, ("b",), 3, at(6))
    assert tell(member, chain(FIRST, PAIR, mine)) == [Persist(mine, None), BecomeActive(mine)]
    assert member.state.released == at(6)


def test_a_lost_claim_makes_a_follower() -> None:
    member = server("b", held=PAIR, position=at(5))
    tell(member, Suspected("silent"), chain(FIRST, PAIR), Stopped(at(5)), chain(FIRST, PAIR))
    won = replace(FIRST, number=3, why="b dropped: silent", seal="s9")
    assert tell(member, chain(FIRST, PAIR, won)) == [Persist(won, None), Follow(won)]
    # It is not in sync any more, so it may not try again.
    assert tell(member, Suspected("silent")) == [ReadChain()]
    assert kinds(tell(member, chain(FIRST, PAIR, won))) == [Refuse]


def test_a_suspicion_is_taken_back_while_nothing_is_promised() -> None:
    member = server("b", held=PAIR, position=at(5))
    tell(member, Suspected("silent"), chain(FIRST, PAIR))
    assert tell(member, Heard()) == []
    assert tell(member, Stopped(at(5))) == [Follow(PAIR)]
    assert tell(member, Stored(at(6))) == [Acknowledge(at(6))]
    tell(member, Suspected("silent"), chain(FIRST, PAIR), Stopped(at(6)), chain(FIRST, PAIR))
    assert tell(member, Heard()) == []
    assert member.state.phase is Phase.STOPPED


def test_a_promise_survives_a_restart() -> None:
    promise = replace(PAIR, number=3, active="b", members=("b",), epoch=3, began=at(5), seal="")
    member = Member(State(me="b", cluster="c", held=PAIR, promise=promise, position=at(5)))
    assert member.start(may_begin=False) == (ReadChain(),)
    assert tell(member, Stored(at(5))) == []
    assert tell(member, chain(FIRST, PAIR, seal="s3")) == [Register(promise.sealed("s3"))]


def test_the_last_active_begins_a_new_epoch_when_it_starts_again() -> None:
    member = server("a", held=PAIR, position=at(7))
    register = tell(member, chain(FIRST, PAIR))[-1]
    assert isinstance(register, Register)
    assert (register.configuration.members, register.configuration.epoch) == (("a",), 3)
    assert kinds(tell(member, chain(FIRST, PAIR, register.configuration))) == [Persist, BecomeActive]


def test_the_only_member_starts_without_the_name_server() -> None:
    member = server("a", held=FIRST, position=at(7))
    persist, held, active_, register = tell(member, NameServerAway("s2"))
    assert isinstance(register, Register)
    assert (persist, held) == (Persist(FIRST, register.configuration), Persist(register.configuration, None))
    assert active_ == BecomeActive(register.configuration)
    other = server("a", held=PAIR, position=at(7))
    assert kinds(tell(other, NameServerAway("s2"))) == [Refuse]


def test_an_active_that_is_superseded_steps_down_and_releases_nothing() -> None:
    member = active("b")
    held = member.state.held
    assert held is not None
    taken = replace(held, number=3, active="b", members=("b",), epoch=3, began=at(1), seal="s3")
    assert kinds(tell(member, Stored(at(2)), chain(FIRST, held, taken))) == [Persist, StepDown, Follow]
    assert tell(member, Acknowledged("b", at(2)), Stored(at(2))) == [Acknowledge(at(2))]


def test_data_that_does_not_fit_is_not_served() -> None:
    taken = replace(PAIR, number=3, active="b", members=("b",), epoch=3, began=at(5), seal="s3")
    member = server("b", held=PAIR, position=at(4))
    persist, refused = tell(member, Told(taken))
    assert persist == Persist(taken, None)
    assert isinstance(refused, Refuse)
    assert refused.final


def test_nobody_claims_from_a_name_server_that_forgot() -> None:
    member = server("b", held=PAIR, position=at(5))
    tell(member, Suspected("silent"))
    (refused,) = tell(member, chain())
    assert isinstance(refused, Refuse)
    assert "promote --force" in refused.why
    assert tell(member, chain()) == []  # said once
    assert kinds(tell(member, chain(replace(PAIR, seal="s9")))) == []  # another memory


def test_after_a_loss_of_memory_all_members_promise_the_next_one() -> None:
    member = active("b", "d")
    held = member.state.held
    assert held is not None
    actions = tell(member, chain(seal="s9"))
    assert kinds(actions) == [Persist, Report, AskConsent, AskConsent]
    proposal = replace(held, number=4, why="the name server forgot the configuration before", seal="s9")
    assert actions[-1] == AskConsent("d", proposal, ("a",))
    assert tell(member, ConsentGiven(proposal, "b"), ConsentGiven(proposal, "b")) == []
    adopted = tell(member, ConsentGiven(proposal, "d"))
    assert kinds(adopted) == [Persist, Reconfigured, Tell, Tell, Register]
    assert adopted[-1] == Register(proposal)
    assert tell(member, chain(proposal)) == []


def test_a_member_consents_to_one_proposal() -> None:
    three = replace(PAIR, members=("a", "b", "d"))
    proposal = replace(three, number=3, why="forgot", seal="s9")
    member = server("b", held=three, position=at(5))
    assert tell(member, ConsentAsked(proposal, ("a",))) == [Persist(three, proposal), GiveConsent("a", proposal)]
    assert tell(member, ConsentAsked(proposal, ("a",))) == [GiveConsent("a", proposal)]
    assert tell(member, ConsentAsked(proposal.sealed("s8"), ("a",))) == []
    assert tell(member, Stored(at(6))) == [Acknowledge(at(6))]  # it is no claim of its own
    # The last to promise knows that it is decided.
    assert kinds(tell(member, ConsentAsked(proposal, ("a", "d")))) == [Persist, GiveConsent]
    assert member.state.held == proposal
    assert tell(member, ConsentAsked(replace(proposal, seal="s7"), ("a",))) == [Tell("a", proposal)]


@pytest.mark.parametrize(
    "wrong",
    [{"number": 4}, {"members": ("a", "b", "d")}, {"epoch": 3}, {"chain": "y"}, {"active": "d"}, {"seal": ""}],
)
def test_a_member_consents_to_nothing_else(wrong: dict[str, Any]) -> None:
    proposal = replace(PAIR, **{"number": 3, "why": "forgot", "seal": "s9", **wrong})
    assert tell(server("b", held=PAIR), ConsentAsked(proposal, ("a",))) == []


def test_a_promise_to_take_over_is_not_consent() -> None:
    member = server("b", held=PAIR, position=at(5))
    tell(member, Suspected("silent"), chain(FIRST, PAIR), Stopped(at(5)), chain(FIRST, PAIR))
    assert tell(member, ConsentAsked(replace(PAIR, number=3, seal="s9"), ("a",))) == []


def test_a_switchover_waits_until_everything_is_on_all_disks() -> None:
    member = active("b")
    held = member.state.held
    assert held is not None
    entries = (FIRST, held)
    assert tell(member, HandOver("b")) == [StopDeciding()]
    assert kinds(tell(member, HandOver("b"))) == [Refuse]
    assert tell(member, Drained(at(2))) == [ReadChain()]
    assert tell(member, chain(*entries)) == []
    assert tell(member, Acknowledged("b", at(2))) == [Release(at(2)), ReadChain()]
    register = tell(member, chain(*entries))[-1]
    assert isinstance(register, Register)
    theirs = register.configuration
    assert (theirs.members, theirs.epoch, theirs.began) == (("b", "a"), 3, at(2))
    assert kinds(tell(member, chain(*entries, theirs))) == [Persist, StepDown, Tell, Follow]
    heir = server("b", held=held, position=at(2))
    assert tell(heir, Told(theirs)) == [Persist(theirs, None), BecomeActive(theirs)]
    assert tell(heir, Stored(at(3, 3))) == []
    assert tell(heir, Acknowledged("a", at(3, 3))) == [Release(at(3, 3))]


def test_a_switchover_that_cannot_be_is_given_up() -> None:
    member = active("b")
    assert kinds(tell(member, HandOver("z"))) == [Refuse]
    tell(member, HandOver("b"))
    assert ResumeDeciding("b is lost: gone") in tell(member, Lost("b", "gone"))
    member = active("b")
    tell(member, HandOver("b"), Drained(at(1)))
    assert ResumeDeciding("the name server does not answer") in tell(member, NameServerAway("s"))
    assert kinds(tell(server("b", held=PAIR), HandOver("a"))) == [Refuse]


def test_leaving_names_the_others_only() -> None:
    member = active("b", "d")
    held = member.state.held
    assert held is not None
    tell(member, HandOver("d", stay=False), Drained(at(1)))
    register = tell(member, chain(FIRST, replace(PAIR, seal="s2"), held))[-1]
    assert isinstance(register, Register)
    assert register.configuration.members == ("d", "b")


def test_an_operator_may_force() -> None:
    member = server("b", held=FIRST, position=at(5))
    assert kinds(tell(member, Force())) == [Report, ReadChain]
    assert tell(member, chain()) == [StopAcknowledging()]
    assert tell(member, Stopped(at(5))) == [ReadChain()]
    register = tell(member, chain(PAIR))[-1]
    assert isinstance(register, Register)
    mine = register.configuration
    assert (mine.number, mine.members, mine.epoch, mine.forced) == (1002, ("b",), 1002, True)
    assert kinds(tell(member, chain(mine))) == [Persist, BecomeActive]
    assert kinds(tell(member, Force())) == [Refuse]
    # Everybody who reads it obeys.
    loser = active("b")
    assert kinds(tell(loser, chain(mine))) == [Persist, StepDown, Follow]


def long_chain(length: int) -> list[Configuration]:
    """The chain of server a, alone, which is active in all of it."""
    return [replace(FIRST, number=number, seal=f"s{number}") for number in range(1, length + 1)]


def test_the_active_removes_the_oldest_name_when_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "KEPT", 3)
    entries = long_chain(5)
    strange = replace(FIRST, number=4, chain="strange", seal="t")
    member = server("a", held=entries[-1])
    member.state = replace(member.state, phase=Phase.ACTIVE, starting=False)
    assert tell(member, chain(*entries)) == [Remove(entries[0])]
    # The same again until it is gone; then the next.
    assert tell(member, chain(*entries)) == [Remove(entries[0])]
    assert tell(member, chain(*entries[1:])) == [Remove(entries[1])]
    # What is of another chain does not count, and what is above what we hold neither.
    assert tell(member, chain(strange, *entries[2:])) == []
    # Nothing is removed when the name server forgot what we hold, when something waits, or by others.
    assert Remove(entries[0]) not in tell(member, chain(*entries[:-1]))
    follower = server("b", held=replace(entries[-1], members=("a", "b")))
    assert tell(follower, chain(*entries[:-1], replace(entries[-1], members=("a", "b")))) == []


def test_the_first_configuration_does_not_count_beside_another_chain() -> None:
    """It was registered too late: the names of another cluster's first ones are removed already."""
    member = server("a")
    (_, register) = tell(member, chain(seal="x"))
    assert isinstance(register, Register)
    late = replace(FIRST, number=17, chain="other", active="b", members=("b",), seal="t")
    assert kinds(tell(member, chain(register.configuration, late))) == [Refuse]
    assert member.state.phase is Phase.OUT


def test_a_server_whose_configuration_was_removed_finds_the_active() -> None:
    """Also if that is the same server as then, in another place by now."""
    newest = replace(PAIR, number=9, members=("a",), addresses=(("a", "uri-new"),), seal="s9")
    member = server("b", held=PAIR)
    assert Follow(newest, hint=True) in tell(member, chain(newest))
    assert member.state.held == PAIR
    assert kinds(tell(member, Told(newest))) == [Persist]


def test_two_truths_are_reported() -> None:
    (report,) = tell(server("b", held=PAIR), Told(replace(PAIR, members=("a", "d"))))
    assert isinstance(report, Report)
    assert report.loud
