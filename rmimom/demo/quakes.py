"""The recorded event stream: one week of earthquake reports (source and licence: data/README.md)."""

from __future__ import annotations

from importlib.resources import files

import msgspec

STRONG = 4.5
"""The magnitude from which a report is work for the workers."""


class Quake(msgspec.Struct, frozen=True):
    """One report.  `time` in milliseconds since 1970 UTC; `magnitude` may be missing."""

    id: str
    time: int
    magnitude: float | None
    place: str
    type: str
    network: str

    @property
    def strong(self) -> bool:
        """Whether the report goes to the workers."""
        return self.magnitude is not None and self.magnitude >= STRONG


def read_quakes() -> list[tuple[Quake, str]]:
    """Every report, oldest first, with the line of JSON that it was read from."""
    decoder = msgspec.json.Decoder(Quake)
    text = files("rmimom.demo").joinpath("data", "earthquakes.jsonl").read_text(encoding="utf-8")
    return [(decoder.decode(line), line) for line in text.splitlines()]
