"""What a run comes to: each checker can make it invalid, and what could not be seen makes it unknown."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from rmimom_chaos.checkers import check_redelivery
from rmimom_chaos.history import FAIL, INFO, INVOKE, OK, Event, History
from rmimom_chaos.judgement import INVALID, LATE, UNKNOWN, VALID, judge
from rmimom_chaos.report import as_json, show
from rmimom_chaos.run import Outcome

Q, DEAD = "queue://q", "queue://DLQ.q"
START = 1_700_000_000_000


class Story:
    """A history, told event by event, a second from one to the next."""

    def __init__(self) -> None:
        self.events: History = [Event(START, "names", INFO, "own", server="one", epoch=1)]
        self.time = START

    def note(self, process: str, outcome: str, op: str, **facts: Any) -> Story:
        self.time += 1000
        self.events.append(Event(self.time, process, outcome, op, monotonic=self.time, **facts))
        return self

    def sent(self, value: str, destination: str = Q, **facts: Any) -> Story:
        self.note("p", INVOKE, "send", value=value, destination=destination, **facts)
        return self.note("p", OK, "send", value=value, server="one", epoch=1)

    def received(self, value: str, consumer: str = "c", **facts: Any) -> Story:
        facts = {"place": Q, "count": 1, **facts}
        return self.note(consumer, OK, "receive", value=value, consumer=consumer, **facts)

    def acknowledged(self, value: str, consumer: str = "c", place: str = Q) -> Story:
        for outcome in (INVOKE, OK):
            self.note(consumer, outcome, "acknowledge", value=value, place=place, consumer=consumer, epoch=1)
        return self

    def taken(self, value: str, **facts: Any) -> Story:
        return self.received(value, **facts).acknowledged(value)

    def drained(self, *places: str) -> History:
        for place in (Q, DEAD, *places):
            self.note("harness", OK, "drain", place=place)
        return self.events


def good() -> Story:
    return Story().sent("p-1").sent("p-2").taken("p-1").taken("p-2")


def transaction(story: Story, outcome: str) -> Story:
    story.note("f", INVOKE, "commit", transaction="f:1")
    for value, place in (("f-1", Q), ("f-2", "queue://r")):
        story.note("f", INVOKE, "send", value=value, destination=place, transaction="f:1")
    story.note("f", outcome, "commit", transaction="f:1")
    for value in ("f-1", "f-2"):
        story.note("f", outcome, "send", value=value, transaction="f:1")
    return story


BROKEN: dict[str, Callable[[], History]] = {
    "total queue": lambda: good().sent("p-3").drained(),
    "durable subscriptions": lambda: (
        good().note("d", OK, "subscribe", place="s", destination="topic://t").sent("p-3", "topic://t").drained("s")
    ),
    "acknowledged": lambda: good().received("p-1", count=2, epoch=3).drained(),
    "duplicates": lambda: Story().sent("p-1").received("p-1", tag=7).taken("p-1", tag=8, count=2).drained(),
    "order": lambda: Story().sent("p-1").sent("p-2").taken("p-2").taken("p-1").drained(),
    "times": lambda: Story().sent("p-1", delivery_time=START + 60_000).taken("p-1").drained(),
    "conservation": lambda: good().sent("p-3").drained(),
    "redelivery": lambda: Story().sent("p-1").received("p-1").taken("p-1").drained(),
    "transactions": lambda: transaction(good(), OK).taken("f-1").drained("queue://r"),
    "dead letters": lambda: (
        good()
        .note("harness", INFO, "policy", place=Q, destination=DEAD, value="dead")
        .sent("p-3")
        .received("p-3", place=DEAD, origin=Q, reason="no", dead_at=START + 9000)
        .acknowledged("p-3", place=DEAD)
        .drained()
    ),
    "groups": lambda: (
        Story()
        .sent("p-1", group="g")
        .sent("p-2", group="g")
        .received("p-1", "c")
        .received("p-2", "d")
        .acknowledged("p-1", "c")
        .acknowledged("p-2", "d")
        .drained()
    ),
    "single owner": lambda: good().note("two", INFO, "own", server="two", epoch=1).drained(),
}


def test_a_run_without_fault_is_valid() -> None:
    judgement = judge(good().drained())
    assert (judgement.outcome, [verdict.findings for verdict in judgement.verdicts if verdict.findings]) == (VALID, [])


def test_every_checker_is_asked() -> None:
    assert {verdict.checker for verdict in judge(good().drained()).verdicts} == set(BROKEN)


@pytest.mark.parametrize("checker", BROKEN)
def test_each_checker_makes_a_run_invalid(checker: str) -> None:
    judgement = judge(BROKEN[checker]())
    assert judgement.outcome == INVALID
    found = {verdict.checker: verdict.findings for verdict in judgement.verdicts if verdict.valid is False}
    assert found.get(checker), found
    assert judgement.excerpts[checker] or checker == "single owner"


def test_rolled_back_is_not_seen() -> None:
    assert judge(transaction(good(), FAIL).drained("queue://r")).outcome == VALID
    judgement = judge(transaction(good(), FAIL).taken("f-1").drained("queue://r"))
    assert "transactions" in {verdict.checker for verdict in judgement.verdicts if verdict.valid is False}


def test_a_drain_that_was_cut_short_is_unknown() -> None:
    story = good().note("harness", INFO, "drain", place=Q)
    assert judge(story.events).outcome == UNKNOWN


def test_a_run_that_was_not_finished_is_unknown_and_what_was_found_counts_all_the_same() -> None:
    assert judge(good().drained(), "no server came back").outcome == UNKNOWN
    assert judge(BROKEN["acknowledged"](), "no server came back").outcome == INVALID


def test_what_came_before_the_acknowledgement_and_was_received_after_it_is_no_fault() -> None:
    assert judge(good().received("p-1", count=2, released=START + 3000, epoch=3).drained()).outcome == VALID


@pytest.mark.parametrize(("later", "outcome"), [(5000, VALID), (30_000, INVALID)])
def test_what_was_on_its_way_when_it_was_acknowledged_may_arrive_a_little_later(later: int, outcome: int) -> None:
    story = good()
    story.time += later
    assert judge(story.received("p-1", count=2, epoch=1).drained()).outcome == outcome


@pytest.mark.parametrize(
    ("marks", "outcome"), [([], INVALID), ([("fault", "stall"), ("heal", "stall")], VALID), ([("fault", "x")], INVALID)]
)
def test_what_was_decided_before_a_fault_may_be_late(marks: list[tuple[str, str]], outcome: int) -> None:
    story = Story().sent("p-1", expiration=START + 2500)
    for op, value in marks:
        story.note("harness", INFO, op, value=value)
    story.time += LATE + 3000
    assert judge(story.taken("p-1").drained()).outcome == outcome


def test_the_clock_of_a_server_may_be_wrong_after_a_step() -> None:
    story = Story().note("harness", INFO, "fault", value="clock-step").sent("p-1", delivery_time=START + 8000)
    assert judge(story.taken("p-1").drained()).outcome == VALID


def told(outcome: Outcome) -> Iterator[str]:
    console = Console(width=120, record=True, file=io.StringIO())
    show(outcome, console)
    yield from console.export_text().splitlines()


def test_the_report_shows_verdicts_findings_gaps_and_what_was_skipped() -> None:
    story = good().note("harness", INFO, "fault", value="kill-active").sent("p-3").drained()
    outcome = Outcome(judge(story, "no end"), {"kill-active": 1}, {"loss": "no packets"}, len(story), 12.0)
    text = "\n".join(told(outcome))
    for part in ("total queue", "INVALID", "p-3: was accepted for queue://q and is lost", "kill-active", "skipped"):
        assert part in text
    assert "the run could not be finished: no end" in text
    assert '"outcome":1' in as_json(outcome)
    assert '"skipped":{"loss":"no packets"}' in as_json(outcome)


@pytest.mark.parametrize(("first", "again", "found"), [(2, 2, False), (1, 2, False), (1, 1, True)])
def test_a_count_that_only_flags_may_come_again(first: int, again: int, found: bool) -> None:
    """STOMP says that a message was delivered before, and not how often."""
    story = Story().sent("p-1").note("harness", INFO, "fault", value="kill-active")
    for count in (first, again):
        story.received("p-1", count=count, counted=count == 1, epoch=1)
    assert bool(check_redelivery(story.acknowledged("p-1").drained()).findings) is found


@pytest.mark.parametrize(
    ("count", "epochs", "found"),
    [(2, (1, 1), True), (2, (1, 3), False), (2, (0, 3), False), (1, (1, 3), True)],
    ids=["in one epoch", "in the next", "by the client itself", "never again for the first time"],
)
def test_a_count_may_come_again_in_another_epoch(count: int, epochs: tuple[int, int], found: bool) -> None:
    story = Story().sent("p-1").note("harness", INFO, "fault", value="kill-active")
    for epoch in epochs:
        story.received("p-1", count=count, epoch=epoch)
    verdict = check_redelivery(story.acknowledged("p-1").drained())
    assert bool(verdict.findings) is found
