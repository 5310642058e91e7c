"""Times in the manner of cron: five fields for minute, hour, day of the month, month and day of the week, in UTC.

A field is `*`, a number, a range `a-b`, either with a step `/n`, or several of these with commas between them.  Days of
the week are 0 to 7; 0 and 7 are Sunday.  If both days are restricted, one of them is enough, as cron has it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from rmimom.errors import MessageFormatError

_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_LONGEST: Final = 200
"""Characters of an entry."""
_DAYS_AHEAD: Final = 366 * 8 + 2
"""The 29th of February is never further away."""


class Cron(NamedTuple):
    """The times of an entry, by field."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, when: int) -> int:
        """The next time after `when`, both in milliseconds since 1970 UTC; 0 if none ever comes."""
        start = datetime.fromtimestamp(when // 60_000 * 60, UTC) + timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        for _ in range(_DAYS_AHEAD):
            if self._has(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        found = day.replace(hour=hour, minute=minute)
                        if found >= start:
                            return int(found.timestamp()) * 1000
            day += timedelta(days=1)
        return 0

    def _has(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if len(self.days) < 31 and len(self.weekdays) < 7:
            return in_month or in_week
        return in_month and in_week


def parse_cron(text: str) -> Cron:
    """Read an entry; raises MessageFormatError naming the field that is wrong, or if its time never comes."""
    fields = text.split()
    if len(fields) != len(_FIELDS) or len(text) > _LONGEST:
        raise MessageFormatError(
            f"{text[:_LONGEST]!r} is no cron entry; write five fields: minute, hour, day of the month, month, "
            "day of the week"
        )
    minutes, hours, days, months, weekdays = (
        _values(field, *known) for field, known in zip(fields, _FIELDS, strict=True)
    )
    made = Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
    )
    if not made.next_after(0):
        raise MessageFormatError(f"the cron entry {text!r} names a day that never comes")
    return made


def _values(field: str, name: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        whole, slash, step = part.partition("/")
        first, dash, last = whole.partition("-")
        if whole == "*":
            first, last = str(least), str(most)
        elif not dash:
            last = str(most) if slash else first
        numbers = [first, last, step or "1"]
        if not all(number.isascii() and number.isdigit() and len(number) < 5 for number in numbers) or (
            slash and not step
        ):
            raise MessageFormatError(f"the {name} of a cron entry is {field!r}; write *, numbers, ranges and steps")
        start, end, stride = map(int, numbers)
        if not (least <= start <= end <= most and stride):
            raise MessageFormatError(f"the {name} of a cron entry is {field!r}; it goes from {least} to {most}")
        found.update(range(start, end + 1, stride))
    return found
