"""Replication as the engine sees it: what is waited for, and when nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.coordination import A, B, C, batch, configuration, store_with
from support.loops import on_loop

from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.events import Acknowledged, Event, Joined, Lost, Stored
from rmimom.coordination import shipping as module
from rmimom.coordination.link import Link, LinkStatistics
from rmimom.coordination.shipping import Shipping
from rmimom.replication import NotActiveError
from rmimom.store.base import Store


class Member:
    """What the member knows, and what it was told."""

    def __init__(self) -> None:
        self.serving: Configuration | None = configuration(1, A)
        self.required: set[str] = set()
        self.store: Store = store_with(0)
        self.told: list[Event] = []

    def post(self, event: Event) -> None:
        self.told.append(event)


class FakeLink:
    """A link that does what a test does to it."""

    def __init__(self, server: str, uri: str, supply: Any, reports: Shipping) -> None:
        self.server, self.uri, self.supply, self.reports = server, uri, supply, reports
        self.position = NOWHERE
        self.offered: list[int] = []
        self.confirmed = self.asked = 0

    def offer(self, sequence: int, part: bytes) -> None:
        self.offered.append(sequence)

    def ask(self) -> int:
        self.asked += 1
        return self.asked

    def close(self, why: str) -> None:
        self.reports.lost(self, why)  # type: ignore[arg-type]  # it does what a link does

    def statistics(self) -> LinkStatistics:
        return LinkStatistics(self.server, "in step", 0, 0, 0, 0, 0)


@pytest.fixture(autouse=True)
def _fake_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Link", FakeLink)


def joined(shipping: Shipping, server: str = B) -> Any:
    """A new link."""
    shipping.join(server, f"PYRO:x@127.0.0.1:{len(server)}")
    return shipping._links[server]


def make(directory: Path) -> tuple[Shipping, Member]:
    member = Member()
    return Shipping(member, {"server": A}, directory, 1.0, 0), member


@on_loop
async def test_without_standbys_nothing_is_waited_for(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    assert shipping.offer(batch(1)) is None
    shipping.stored(batch(1))
    assert shipping.stored_position == (1, 1)
    assert shipping.confirm() is None
    assert member.told == []


@on_loop
async def test_what_is_required_is_waited_for_until_it_is_released(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    link = joined(shipping)
    member.required = {B}
    first, second = shipping.offer(batch(1)), shipping.offer(batch(2))
    assert first is not None
    assert second is not None
    assert link.offered == [1, 2]
    shipping.stored(batch(1))
    assert member.told == [Stored(LogPosition(1, 1))]
    shipping.release(LogPosition(1, 1))
    assert (first.done(), second.done()) == (True, False)
    shipping.release(LogPosition(1, 5))
    assert second.done()


@on_loop
async def test_from_caught_up_on_nothing_is_released_without_the_standby(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    link = joined(shipping)
    assert shipping.offer(batch(1)) is None  # it does not count while it catches up
    shipping.caught_up(link)
    assert [type(event) for event in member.told] == [Stored, Joined]
    waiting = shipping.offer(batch(2))
    assert waiting is not None, "released without a standby that has caught up"
    assert not waiting.done()
    for event in member.told:
        shipping.handled(event)
    assert shipping.offer(batch(3)) is None, "the member did not take it in"


@on_loop
async def test_what_is_on_its_way_to_our_disk_is_at_hand_for_a_standby(tmp_path: Path) -> None:
    """Nobody waits for a standby that is not there yet, and a copy of the store would lack the batch."""
    shipping, _ = make(tmp_path)
    assert shipping.offer(batch(1)) is None
    link = joined(shipping)
    assert (link.supply.decided, list(link.supply.recent)) == ((1, 1), [1])
    shipping.stored(batch(1))
    assert list(joined(shipping, C).supply.recent) == []


@on_loop
async def test_a_question_is_answered_when_every_standby_said_yes(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    link = joined(shipping)
    member.required = {B}
    future = shipping.confirm()
    assert future is not None
    shipping.acknowledged(link)
    shipping.answer_questions()
    assert not future.done()
    assert member.told == [Acknowledged(B, NOWHERE)]
    link.confirmed = 1
    shipping.answer_questions()
    assert future.done()


@on_loop
async def test_a_question_does_not_wait_for_who_does_not_count_any_more(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    member.required = {B}
    future = shipping.confirm()
    assert future is not None
    assert not future.done()
    member.required = set()
    shipping.answer_questions()
    assert future.done()


@on_loop
async def test_a_standby_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    joined(shipping)
    member.required = {B}
    future = shipping.confirm()
    assert future is not None
    again = joined(shipping)
    shipping.answer_questions()
    assert again.asked == 1
    shipping.answer_questions()
    assert (again.asked, future.done()) == (1, False)
    again.confirmed = 1
    shipping.answer_questions()
    assert future.done()


@on_loop
async def test_who_is_deposed_tells_nothing_more(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    joined(shipping)
    member.required = {B}
    waiting = [shipping.offer(batch(1)), shipping.confirm()]
    shipping.depose("the test says so")
    member.serving = None
    waiting += [shipping.offer(batch(2)), shipping.confirm()]
    for future in waiting:
        assert future is not None
        assert isinstance(future.exception(), NotActiveError)
    assert shipping.statistics() == []
    assert isinstance(member.told[-1], Lost)
    with pytest.raises(NotActiveError, match="ask the name server"):
        shipping.join(B, "PYRO:x@127.0.0.1:1")


@on_loop
async def test_a_standby_that_comes_back_takes_the_place_of_its_old_link(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    joined(shipping)
    shipping.offer(batch(1))
    new = joined(shipping)
    assert isinstance(member.told[-1], Lost)
    assert list(new.supply.recent) == [1]
    assert new.supply.decided == (1, 1)
    assert shipping.uri_of(B) == new.uri
    assert (shipping.leave(B), shipping.leave(B)) == (True, False)
    assert shipping.uri_of(B) == ""


@on_loop
async def test_as_many_recent_batches_are_kept_as_there_is_room_for(
    tmp_path: Path,
) -> None:
    shipping, _ = make(tmp_path)
    joined(shipping)
    for sequence in range(1, 6):
        shipping.offer(batch(sequence))
    assert list(joined(shipping).supply.recent) == [1, 2, 3, 4, 5]
    shipping.begin(LogPosition(1, 5), expects_standbys=False)
    assert joined(shipping).supply.recent == {}


@on_loop
async def test_whoever_took_over_keeps_what_the_other_one_lacks(tmp_path: Path) -> None:
    """After a switchover the old active comes back by the log, also if a batch came before it did."""
    shipping, _ = make(tmp_path)
    shipping.begin(LogPosition(1, 5), expects_standbys=True)
    shipping.offer(batch(6))
    assert list(joined(shipping).supply.recent) == [6]
    shipping.leave(B)
    shipping.begin(LogPosition(1, 6), expects_standbys=False)
    shipping.offer(batch(7))
    shipping.stored(batch(7))
    assert list(joined(shipping).supply.recent) == []


@on_loop
async def test_a_link_that_needs_a_copy_does_not_count(tmp_path: Path) -> None:
    shipping, member = make(tmp_path)
    link: Link = joined(shipping)
    shipping.needs_copy(link)
    assert member.told == [Lost(B, "it needs a copy", for_good=True)]
