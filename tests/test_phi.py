"""Suspicion held against simulated rhythms; time is handed in."""

from __future__ import annotations

import itertools
import random

import pytest

from rmimom.errors import ConfigurationError
from rmimom.phi import Rhythm, Suspicion, SuspicionLevel


def beating(intervals: list[float], rhythm: Rhythm) -> float:
    """Let beats come at these intervals; the time of the last."""
    now = 0.0
    rhythm.beat(now)
    for interval in intervals:
        now += interval
        rhythm.beat(now)
    return now


def test_phi_is_the_chance_of_such_a_silence() -> None:
    rhythm = Rhythm(0.0, 1.0, min_deviation=0.1)
    now = beating([0.9, 1.1] * 50, rhythm)
    assert rhythm.mean == pytest.approx(1.0)
    assert rhythm.deviation == pytest.approx(0.1)
    assert rhythm.phi(now) == pytest.approx(0.0, abs=1e-9)
    assert rhythm.phi(now + 1.0) == pytest.approx(0.30103)  # half of all beats have come by now
    assert rhythm.phi(now + 1.1) == pytest.approx(0.79955, abs=1e-4)  # one deviation: 0.1587
    assert rhythm.phi(now + 1.3) == pytest.approx(2.86966, abs=1e-4)  # three: 0.00135


def test_phi_grows_without_end_and_without_a_step() -> None:
    rhythm = Rhythm(0.0, 1.0)
    phis = [rhythm.phi(0.01 * step) for step in range(3000)]
    assert all(later >= earlier for earlier, later in itertools.pairwise(phis))
    assert max(later / earlier for earlier, later in itertools.pairwise(phis[200:])) < 1.05
    assert rhythm.phi(1e12) == 1e6


@pytest.mark.parametrize("threshold", [0.5, 3.0, 8.0, 16.0, 400.0])
def test_when_is_phi_turned_round(threshold: float) -> None:
    rhythm = Rhythm(5.0, 0.5, acceptable_pause=2.0)
    rhythm.beat(5.6)
    assert rhythm.phi(rhythm.when(threshold)) == pytest.approx(threshold, rel=1e-6)


def test_a_busy_machine_is_suspected_later() -> None:
    chance = random.Random(7)
    calm, busy = Rhythm(0.0, 0.5, min_deviation=0.02), Rhythm(0.0, 0.5, min_deviation=0.02)
    quiet = beating([chance.gauss(0.5, 0.01) for _ in range(200)], calm)
    loaded = beating([max(0.1, chance.gauss(0.8, 0.25)) for _ in range(200)], busy)
    assert calm.when(8.0) - quiet < 0.65
    assert busy.when(8.0) - loaded > 1.8


def test_no_living_sender_is_taken_for_failed() -> None:
    chance = random.Random(11)
    suspicion = Suspicion(Rhythm(0.0, 0.5), suspect=3.0, failed=8.0)
    now = 0.0
    for _ in range(20_000):
        now += max(0.05, chance.gauss(0.5, 0.06))
        suspicion.check(now)
        assert suspicion.level is not SuspicionLevel.FAILED
        suspicion.beat(now)


def test_it_learns_a_slower_rhythm() -> None:
    rhythm = Rhythm(0.0, 0.5)
    before = rhythm.when(8.0)
    now = beating([0.5 + 0.01 * step for step in range(100)], rhythm)
    assert rhythm.mean == pytest.approx(0.995)
    assert rhythm.when(8.0) - now > before + 1.0


def test_an_absence_is_not_learnt() -> None:
    rhythm = Rhythm(0.0, 0.5)
    now = beating([0.5] * 20, rhythm)
    rhythm.beat(now + 3600)
    assert rhythm.mean == 0.5


def test_a_burst_after_a_stall_does_not_make_it_impatient() -> None:
    rhythm = Rhythm(0.0, 0.5)
    now = beating([0.5] * 20 + [3.0] + [0.001] * 200, rhythm)
    assert rhythm.mean == 0.5
    assert rhythm.phi(now + 0.5) < 1


def test_a_sender_may_change_its_interval() -> None:
    rhythm = Rhythm(0.0, 0.5)
    now = beating([0.5] * 20, rhythm)
    rhythm.beat(now + 0.5, 5.0)
    assert rhythm.phi(now + 5.5) < 1
    rhythm.beat(now + 5.5, -1.0)
    assert rhythm.mean == 5.0


def test_a_clock_that_goes_back_suspects_nobody() -> None:
    rhythm = Rhythm(1000.0, 0.5)
    assert rhythm.phi(10.0) == 0
    rhythm.beat(10.0)
    assert rhythm.mean == 0.5
    assert rhythm.phi(10.5) < 1


def test_levels_rise_one_after_the_other_and_fall_at_a_beat() -> None:
    suspicion = Suspicion(Rhythm(0.0, 1.0), suspect=3.0, failed=8.0)
    suspect = suspicion.next_check()
    assert suspect is not None
    assert not suspicion.check(suspect - 0.01)
    assert suspicion.check(suspect + 0.01)
    assert suspicion.level is SuspicionLevel.SUSPECT
    failed = suspicion.next_check()
    assert failed is not None
    assert failed > suspect
    assert not suspicion.check(failed - 0.01)
    assert suspicion.check(failed + 0.01)
    assert suspicion.level is SuspicionLevel.FAILED
    assert suspicion.next_check() is None
    assert suspicion.beat(failed + 1)
    assert not suspicion.beat(failed + 2)
    assert suspicion.level is SuspicionLevel.ALIVE


@pytest.mark.parametrize(
    "settings", [{"interval": 0.0}, {"min_deviation": 0.0}, {"acceptable_pause": -1.0}, {"interval": float("nan")}]
)
def test_settings_are_checked(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Rhythm(0.0, **{"interval": 1.0, **settings})


@pytest.mark.parametrize(("suspect", "failed"), [(0.0, 8.0), (9.0, 8.0), (1.0, float("inf"))])
def test_thresholds_are_checked(suspect: float, failed: float) -> None:
    with pytest.raises(ConfigurationError, match="thresholds"):
        Suspicion(Rhythm(0.0, 1.0), suspect=suspect, failed=failed)
