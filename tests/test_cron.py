"""Times in the manner of cron (rmimom/cron.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.cron import parse_cron
from rmimom.errors import MessageFormatError

NEXT: list[tuple[str, str, str]] = [
    ("* * * * *", "2026-03-01 10:00", "2026-03-01 10:01"),
    ("0 * * * *", "2026-03-01 10:00", "2026-03-01 11:00"),
    ("*/15 8-9 * * *", "2026-03-01 08:45", "2026-03-01 09:00"),
    ("*/15 8-9 * * *", "2026-03-01 09:45", "2026-03-02 08:00"),
    ("5/20 0 * * *", "2026-03-01 00:25", "2026-03-01 00:45"),
    ("0 0 1,15 * *", "2026-03-01 00:00", "2026-03-15 00:00"),
    ("0 0 29 2 *", "2026-03-01 00:00", "2028-02-29 00:00"),
    ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
    ("0 12 * * 0", "2026-11-22 12:00", "2026-11-29 12:00"),
    ("0 12 * * 7", "2026-11-22 11:59", "2026-11-22 12:00"),
    ("0 12 * * 1-5", "2026-11-20 12:00", "2026-11-23 12:00"),
    ("0 0 13 * 5", "2026-11-07 00:00", "2026-11-13 00:00"),
    ("0 0 13 * 5", "2026-11-13 00:00", "2026-11-20 00:00"),
    ("59 23 31 12 *", "2026-12-31 23:58", "2026-12-31 23:59"),
]


def at(text: str) -> int:
    """Milliseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(("entry", "when", "following"), NEXT)
def test_next_time(entry: str, when: str, following: str) -> None:
    assert parse_cron(entry).next_after(at(when)) == at(following)


WRONG = ["", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *"]
WRONG += [
    "* * * * 8",
    "-1 * * * *",
    "1-0 * * * *",
    "*/0 * * * *",
    "*/ * * * *",
    "1/x * * * *",
    "a * * * *",
    ", * * * *",
]
WRONG += ["\u0661 * * * *", "1-2-3 * * * *", "* * 30 2 *", "* * 31 4,6 *", "1," * 200 + "1 * * * *", "99999 * * * *"]


@pytest.mark.parametrize("entry", WRONG)
def test_wrong_entries_are_refused(entry: str) -> None:
    with pytest.raises(MessageFormatError, match="cron entry"):
        parse_cron(entry)


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "10-20", "3,50"]),
    st.sampled_from(["*", "5", "*/6", "22-23"]),
    st.sampled_from(["*", "1", "28-31", "*/10"]),
    st.sampled_from(["*", "2", "1-12/5"]),
    st.sampled_from(["*", "0", "1-5", "6,7"]),
)


@given(FIELDS, st.integers(1_600_000_000, 1_900_000_000))
def test_against_a_slow_search(fields: tuple[str, str, str, str, str], start: int) -> None:
    """Given an entry, then the next time is a minute that fits, and none of 1000 before it does."""
    found = parse_cron(" ".join(fields)).next_after(start * 1000)
    assert found % 60_000 == 0
    assert found > start * 1000
    moment = datetime.fromtimestamp(found / 1000, UTC)
    assert fits(fields, moment)
    tried = datetime.fromtimestamp(start // 60 * 60, UTC) + timedelta(minutes=1)
    for _ in range(1000):
        if tried == moment:
            return
        assert not fits(fields, tried)
        tried += timedelta(minutes=1)


def fits(fields: tuple[str, str, str, str, str], moment: datetime) -> bool:
    """Whether a minute is one of the entry's."""
    numbers = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    chosen = [
        any(
            number in span(part, *bound) or (index == 4 and number == 0 and 7 in span(part, *bound))
            for part in field.split(",")
        )
        for index, (field, number, bound) in enumerate(zip(fields, numbers, bounds, strict=True))
    ]
    minute, hour, day, month, weekday = chosen
    # A field of days that leaves none out restricts nothing.
    days = (day or weekday) if fields[2] != "*" and fields[4] != "*" else (day and weekday)
    return minute and hour and month and days


def span(part: str, least: int, most: int) -> range:
    """The numbers of a part of a field."""
    whole, _, step = part.partition("/")
    first, _, last = whole.partition("-")
    if whole == "*":
        return range(least, most + 1, int(step or 1))
    return range(int(first), int(last or first) + 1, int(step or 1))
