"""Message groups (the rules stand in rmimom/core/grouping.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.brokers import BrokerOnStore
from support.messages import body_of, frame_for

from rmimom.commands import Acknowledge, CloseConsumer, Command, Connect, Purge, Release, Send, Subscribe, Tick
from rmimom.core import grouping
from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.grouping import Groups
from rmimom.core.place import QueuePlace
from rmimom.core.state import SERVER
from rmimom.destination import Queue
from rmimom.effects import Deliver
from rmimom.values import PropertyValue
from rmimom.wishes import Wishes

QUEUE = Queue("q")

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(["a", "b", "c", ""]), st.integers(1, 4)),
        st.tuples(st.just("open"), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.just("close"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("acknowledge"), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.just("fail"), st.integers(1, 3), st.sampled_from([0, 0, 10, 50])),
        st.tuples(st.just("wait"), st.sampled_from([1, 10, 60]), st.just(0)),
    ),
    max_size=40,
)


class Watched:
    """A queue whose deliveries are watched: no two consumers have messages of one group at a time, all in order."""

    def __init__(self) -> None:
        self.room = BrokerOnStore()
        self.room.handle(Connect("c", "c"))
        self.group: dict[int, str] = {}
        self.held: dict[int, list[int]] = {}
        self.acknowledged: set[int] = set()
        self.delayed: dict[int, int] = {}
        self.sent = 0
        self.seen: set[int] = set()
        self.last: dict[str, int] = {}
        self.closed: set[str] = set()

    def do(self, command: Command) -> None:
        outcome = self.room.handle(command)
        for effect in outcome.effects:
            if isinstance(effect, Deliver):
                for delivered, frame in self.room.frames(effect):
                    self._delivered(delivered.tag, delivered.consumers[0], body_of(frame))

    def _delivered(self, tag: int, consumer: int, group: str) -> None:
        self.group[tag] = group
        assert tag not in self.acknowledged
        assert self.delayed.pop(tag, 0) <= self.room.now
        if tag not in self.seen:
            self.seen.add(tag)
            assert tag > self.last.get(group, 0) or not group, f"{tag} came after {self.last[group]}"
            self.last[group] = tag
        if group and group not in self.closed:
            for other, tags in self.held.items():
                assert other == consumer or not [one for one in tags if self.group[one] == group], "two have the group"
            waiting = [one for one, due in self.delayed.items() if self.group[one] == group and due > self.room.now]
            assert not waiting, f"{tag} overtook {waiting}"
        self.held[consumer].append(tag)

    def act(self, kind: str, which: int | str, number: int) -> None:
        if kind == "send":
            assert isinstance(which, str)
            self.sent += number
            properties: dict[str, PropertyValue] = {"JMSXGroupID": which} if which else {}
            if which == "c" and number == 4:
                properties["JMSXGroupSeq"] = -1
                self.closed.add(which)
            self.do(Send("c", "", 0, QUEUE, [frame_for(QUEUE, which, properties=properties)] * number))
        elif kind == "wait":
            self.room.now += int(which)
            self.do(Tick())
        elif kind == "open" and which not in self.held:
            self.held[int(which)] = []
            self.do(Subscribe("c", int(which), QUEUE, prefetch=number))
        elif which in self.held and kind != "open":
            self._act_as(int(which), kind, number)

    def _act_as(self, consumer: int, kind: str, number: int) -> None:
        mine = self.held[consumer]
        if kind == "close":
            del self.held[consumer]
            self.do(CloseConsumer("c", consumer))
        elif kind == "acknowledge":
            tags, self.held[consumer] = mine[:number], mine[number:]
            self.acknowledged.update(tags)
            self.do(Acknowledge("c", consumer, tags=tags))
        elif mine:
            tag = mine.pop()
            if number:
                self.delayed[tag] = self.room.now + number
            self.do(Release("c", consumer, (tag,), delay=number, maximum=-1))

    def finish(self) -> None:
        """Whatever happened, one consumer with room gets all that is left in the end."""
        for consumer in list(self.held):
            self.act("close", consumer, 0)
        self.act("wait", 1000, 0)
        self.act("open", 9, 10_000)
        assert len(self.acknowledged) + len(self.held[9]) == self.sent
        assert self.held[9] == sorted(self.held[9])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=ACTS)
def test_a_group_has_one_consumer_and_nothing_is_left(acts: list[tuple[str, int | str, int]]) -> None:
    """Given groups, consumers that come, go and fail, then each group has one consumer at a time, and nothing stays."""
    watched = Watched()
    for act in acts:
        watched.act(*act)
    watched.finish()


def blocks_nothing(patch: pytest.MonkeyPatch) -> None:
    """A plant: what waits after a failure holds nobody up."""
    patch.setattr(Groups, "block", lambda groups, entry: None)


def takes_turns(patch: pytest.MonkeyPatch) -> None:
    """A plant: whoever is next gets it."""
    patch.setattr(Groups, "consumer_for", lambda groups, group, next_one: next_one)


def keeps_for_those_gone(patch: pytest.MonkeyPatch) -> None:
    """A plant: groups of a consumer that is gone stay its own."""
    patch.setattr(Groups, "let_go", lambda groups, consumer, kept: None)


@pytest.mark.parametrize("plant", [blocks_nothing, takes_turns, keeps_for_those_gone])
def test_planted_bugs_are_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a bug, when the same is played, then it is noticed."""
    plant(monkeypatch)
    # The same examples each time: whether a bug is found must not be a matter of chance, or of how busy the machine is.
    hasty = settings(
        max_examples=5000,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )

    @hasty
    @given(acts=ACTS)
    def play(acts: list[tuple[str, int | str, int]]) -> None:
        watched = Watched()
        for act in acts:
            watched.act(*act)
        watched.finish()

    with pytest.raises((AssertionError, IndexError)):
        play()


def grouped(number: int) -> Entry:
    """A message of a group of its own."""
    return Entry(number, 4, 0, 1, 1, False, b"", Wishes(group=str(number)))


def test_groups_that_were_long_silent_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given many groups, when there are too many, then those served last and those held are remembered."""
    monkeypatch.setattr(grouping, "MOST", 10)
    groups = Groups()
    groups._limit = 10
    consumer = Consumer("c", 1, 10, 10)
    consumer.hold(grouped(0))
    for number in range(100):
        groups.consumer_for(str(number), consumer)
        groups.delivered(str(number), consumer, closes=False)
        groups.trim([consumer])
        assert len(groups) <= 11
    other = Consumer("c", 2, 10, 10)
    assert groups.consumer_for("0", other) is consumer
    assert groups.consumer_for("99", other) is consumer
    assert groups.consumer_for("50", other) is other


def test_a_purge_ends_what_blocked_a_group() -> None:
    """Given a group blocked by a failure, when the queue is purged, then what comes next is delivered at once."""
    watched = Watched()
    watched.act("open", 1, 5)
    watched.act("send", "a", 1)
    watched.act("fail", 1, 50)
    watched.act("send", "a", 2)
    watched.do(Purge(SERVER, QUEUE))
    watched.delayed.clear()
    watched.act("send", "a", 1)
    assert len(watched.held[1]) == 1
    place = watched.room.broker.state.places[QUEUE]
    assert isinstance(place, QueuePlace)
    assert place.mailbox.pending == 1
