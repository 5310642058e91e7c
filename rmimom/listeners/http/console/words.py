"""How pages write times, sizes and names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEPS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_LAST: Final = 253_402_300_799_999
"""The last millisecond that a calendar of four digits has."""


def write_time(milliseconds: int | None) -> Markup | str:
    """A time of milliseconds since 1970, in UTC; a dash for 0."""
    if not milliseconds:
        return "–"
    if not 0 < milliseconds <= _LAST:
        return f"{milliseconds} ms"
    when = datetime.fromtimestamp(milliseconds / 1000, UTC)
    exact = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, exact, f"{when:%Y-%m-%d %H:%M:%S} UTC")


def write_size(number: int | None) -> str:
    """So many bytes, in the largest unit of which there is one; a dash for None."""
    if number is None:
        return "–"
    size, unit = float(number), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{number} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def write_duration(seconds: float) -> str:
    """A time span in its two largest units."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for step, unit in _STEPS:
        if left >= step or (unit == "s" and not parts):
            parts.append(f"{left // step} {unit}")
            left %= step
    return " ".join(parts[:2])


def write_segment(name: str | int) -> str:
    """A name as one part of a path."""
    return quote(str(name), safe="")


def shorten(text: str, most: int = 80) -> str:
    """A text of at most so many characters; an ellipsis stands for what was cut."""
    return text if len(text) <= most else text[: most - 1] + "…"


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
