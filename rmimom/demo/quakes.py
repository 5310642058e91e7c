"""The recorded event stream: one week of earthquake reports (source and licence: data/README.md)."""

from __future__ import annotations

from importlib.resources import files

import msgspec

STRONG = 4.5
"""The magnitude from which an earthquake is work for the workers."""
SELECTOR = f"magnitude >= {STRONG} AND type = 'earthquake'"
"""Chooses these on the server; `Quake.strong` is the same by hand, to count what must arrive."""


class Quake(msgspec.Struct, frozen=True):
    """One report.  `time` in milliseconds since 1970 UTC; `magnitude` may be missing."""

    id: str
    time: int
    magnitude: float | None
    place: str
    type: str
    network: str
    tsunami: int

    @property
    def properties(self) -> dict[str, str | float | bool | None]:
        """What is sent with the report, for selectors and for those who receive it."""
        return {"id": self.id, "type": self.type, "magnitude": self.magnitude, "tsunami": bool(self.tsunami)}

    @property
    def strong(self) -> bool:
        """Whether the report goes to the workers."""
        return self.magnitude is not None and self.magnitude >= STRONG and self.type == "earthquake"

    @property
    def poisonous(self) -> bool:
        """Whether the workers fail on it until they are repaired."""
        return self.strong and bool(self.tsunami)


def read_quakes() -> list[tuple[Quake, str]]:
    """Every report, oldest first, with the line of JSON that it was read from."""
    decoder = msgspec.json.Decoder(Quake)
    text = files("rmimom.demo").joinpath("data", "earthquakes.jsonl").read_text(encoding="utf-8")
    return [(decoder.decode(line), line) for line in text.splitlines()]
