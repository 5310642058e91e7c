"""Checks for monitoring, held against what a server may tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rmimom.admin.checking import (
    Finding,
    Level,
    Limits,
    Measure,
    check_connection,
    check_dead_letters,
    check_queue,
    check_standby,
    check_store,
    level_of,
    report,
    worst,
)

NEVER = Limits(None, None)
STATUS: dict[str, Any] = {
    "version": "1",
    "address": "here:1",
    "role": "active",
    "data": "/data",
    "engine": {"full": False},
}


@pytest.mark.parametrize(
    ("value", "limits", "level"),
    [
        (9, Limits(10, 20), Level.OK),
        (10, Limits(10, 20), Level.WARNING),
        (20, Limits(10, 20), Level.CRITICAL),
        (30, Limits(10, None), Level.WARNING),
        (30, NEVER, Level.OK),
        (0, Limits(0, None), Level.WARNING),
    ],
)
def test_levels(value: float, limits: Limits, level: Level) -> None:
    assert level_of(value, limits) is level


def test_a_connection_is_judged_by_its_answer() -> None:
    assert check_connection(STATUS, 0.5, Limits(1, 5)).level is Level.OK
    assert check_connection(STATUS, 1.5, Limits(1, 5)).level is Level.WARNING
    assert check_connection({**STATUS, "role": "out"}, 0.5, Limits(1, 5)).level is Level.CRITICAL


@pytest.mark.parametrize(
    ("changes", "fewest", "level"),
    [
        ({}, 0, Level.OK),
        ({"pending": 5}, 0, Level.WARNING),
        ({"pending": 50}, 0, Level.CRITICAL),
        ({}, 1, Level.CRITICAL),
        ({"consumers": 1}, 1, Level.OK),
        ({"paused": True}, 0, Level.WARNING),
        ({"paused": True, "pending": 50}, 0, Level.CRITICAL),
    ],
)
def test_a_queue(changes: dict[str, Any], fewest: int, level: Level) -> None:
    row = {"name": "q", "pending": 0, "consumers": 0, "paused": False, **changes}
    assert check_queue(row, Limits(5, 50), fewest).level is level


def _cluster(*standbys: tuple[bool, int | None], active: str = "here:1") -> dict[str, Any]:
    rows = [{"role": "active", "server_id": "a", "address": "here:1", "in_sync": True, "behind": None}]
    rows += [
        {"role": "standby", "server_id": str(index), "address": "", "in_sync": ready, "behind": behind}
        for index, (ready, behind) in enumerate(standbys)
    ]
    return {"active": active, "status": {"servers": rows}}


@pytest.mark.parametrize(
    ("cluster", "wanted", "levels"),
    [
        (_cluster((True, 0)), 1, [0, 0]),
        (_cluster((False, 500)), 1, [2, 1]),
        (_cluster((True, None), (False, 5000)), 1, [0, 2]),
        (_cluster(), 0, [0]),
        (_cluster(), 1, [2]),
        (_cluster((True, 0), active=""), 1, [2, 0]),
        ({"active": "here:1", "status": None}, 0, [2]),
    ],
)
def test_standbys(cluster: dict[str, Any], wanted: int, levels: list[int]) -> None:
    assert [int(one.level) for one in check_standby(cluster, Limits(100, 1000), wanted)] == levels


def test_dead_letters_are_counted_over_their_queues() -> None:
    warnings = [
        {"code": "dead-letters", "subject": "queue://DLQ.a"},
        {"code": "dead-letters", "subject": "queue://DLQ.b"},
        {"code": "paused", "subject": "queue://c"},
    ]
    found = check_dead_letters(warnings, {"DLQ.a": 2, "DLQ.b": 3, "c": 100}, Limits(5, 6))
    assert (found.level, found.text) == (Level.WARNING, "5 dead letters wait: DLQ.a (2), DLQ.b (3)")
    assert check_dead_letters([], {}, Limits(1, 2)).level is Level.OK


@pytest.mark.parametrize(
    ("free", "full", "level"),
    [(50, False, Level.OK), (15, False, Level.WARNING), (4, False, Level.CRITICAL), (50, True, Level.CRITICAL)],
)
def test_a_store(free: int, full: bool, level: Level) -> None:
    resources = {"disk_free": free, "disk_total": 100, "disk_reserve": 1, "store": {"bytes_used": 7}}
    assert check_store(resources, {**STATUS, "engine": {"full": full}}, Limits(80, 95)).level is level


def test_a_disk_below_its_reserve_is_critical_whatever_the_limits() -> None:
    resources = {"disk_free": 5, "disk_total": 100, "disk_reserve": 6, "store": None}
    assert check_store(resources, STATUS, NEVER).level is Level.CRITICAL


def test_the_worst_counts_and_comes_first() -> None:
    found = [Finding("a", "x", Level.OK, "fine"), Finding("b", "y", Level.CRITICAL, "bad")]
    assert worst(found) is Level.CRITICAL
    assert worst([]) is Level.OK
    assert report(found, "text").splitlines() == ["CRITICAL: b y: bad", "OK: a x: fine"]
    assert json.loads(report(found, "json"))["level"] == "critical"
    assert report(found, "nagios").splitlines() == ["RMIMOM CRITICAL - b y: bad", "a x: fine"]


def test_names_that_would_break_a_form_do_not() -> None:
    name = "a|b='c\"\n\\"
    found = [Finding("queue", name, Level.OK, name, (Measure("pending", 1, "", Limits(1.5, None)),))]
    [line] = report(found, "nagios").splitlines()
    text, bar, figures = line.partition(" | ")
    assert (bar, figures) == (" | ", "'a/b__c\"\\x0a\\ pending'=1;1.5;")
    assert "|" not in text
    assert 'subject="a|b=\'c\\"\\n\\\\"} 0' in report(found, "prometheus")
    assert len(report(found, "text").splitlines()) == 1
