"""The server's clock when the machine's is set forward and back."""

from __future__ import annotations

from rmimom.clock import ManualClock, SystemClock

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic = 5 * SECOND
        self.clock = SystemClock(lambda: self.wall, lambda: self.monotonic)

    def pass_time(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.monotonic += round(seconds * SECOND)

    def set(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)

    @property
    def seconds(self) -> float:
        """Since the beginning, as the clock shows it."""
        return (self.clock.now() - START // 1_000_000) / 1000


def test_it_shows_what_the_machine_shows() -> None:
    machine = Machine()
    assert machine.seconds == 0
    machine.pass_time(1.5)
    assert machine.seconds == 1.5


def test_a_step_forward_is_followed_at_once() -> None:
    machine = Machine()
    machine.set(3600)
    assert machine.seconds == 3600


def test_after_a_step_back_it_goes_on_slowly_until_the_machine_has_caught_up() -> None:
    """Nothing waits for an hour because of an hour, and no time comes twice."""
    machine = Machine()
    machine.pass_time(10)
    assert machine.seconds == 10
    machine.set(-3600)
    shown = [machine.seconds]
    for _ in range(4):
        machine.pass_time(1)
        shown.append(machine.seconds)
    assert shown == [10, 10.5, 11, 11.5, 12]
    machine.pass_time(2 * 3600 - 4)
    assert machine.seconds == 3610
    machine.pass_time(1)
    assert machine.seconds == 3611


def test_readings_close_to_each_other_do_not_stop_it() -> None:
    machine = Machine()
    machine.set(-60)
    for _ in range(10_000):
        machine.monotonic += 100_000
        machine.wall += 100_000
        machine.clock.now()
    assert machine.seconds == 0.5


def test_a_clock_of_a_test_moves_when_it_is_told() -> None:
    clock = ManualClock(5)
    clock.advance(7)
    assert clock.now() == 12
