"""Message selectors: one evaluation beside the same written by hand, and 100 subscribers who share 10 selectors.

python -m bench.selectors [--evaluations N] [--messages N] [--json]

The hand-written functions know that every property is there and has its type; selectors have to ask.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.baseline import BODY
from bench.report import Figure, report
from rmimom import frame as wire
from rmimom.outgoing import make_frame
from rmimom.selector import MessageValues, Selector
from rmimom.values import decode_properties, encode_properties

ROUNDS = 7
SUBSCRIBERS = 100

PROPERTIES: dict[str, Any] = {
    "magnitude": 5.1,
    "type": "earthquake",
    "depth": 17.5,
    "place": "12 km WSW of Amatrice, Italy",
    "felt": 12,
    "reviewed": True,
}
TWENTY = frozenset(f"type {number}" for number in range(19)) | {"earthquake"}
TWENTY_TEXT = ", ".join(f"'{text}'" for text in sorted(TWENTY))

# A selector and the same by hand.
CASES: list[tuple[str, str, Callable[[Mapping[str, Any]], object], float | None]] = [
    (
        "number AND string",
        "magnitude >= 4.5 AND type = 'earthquake'",
        lambda values: values["magnitude"] >= 4.5 and values["type"] == "earthquake",
        500,
    ),
    ("LIKE 'x%'", "place LIKE '12 km%'", lambda values: values["place"].startswith("12 km"), None),
    (
        "LIKE '%x%y%'",
        "place LIKE '%Amatrice%It_ly%'",
        lambda values: (at := values["place"].find("Amatrice")) >= 0 and values["place"].find("Italy", at + 8) >= 0,
        None,
    ),
    ("IN of 20", f"type IN ({TWENTY_TEXT})", lambda values: values["type"] in TWENTY, None),
    (
        "five clauses",
        "magnitude >= 4.5 AND type = 'earthquake' AND depth BETWEEN 0 AND 70 AND reviewed AND NOT felt < 10",
        lambda values: (
            values["magnitude"] >= 4.5
            and values["type"] == "earthquake"
            and 0 <= values["depth"] <= 70
            and values["reviewed"]
            and not values["felt"] < 10
        ),
        None,
    ),
    (
        "arithmetic",
        "magnitude * 10 - depth > felt",
        lambda values: values["magnitude"] * 10 - values["depth"] > values["felt"],
        None,
    ),
]


def nanoseconds(function: Callable[[Mapping[str, Any]], object], evaluations: int) -> float:
    """Time of one call, the loop around it included."""
    values = {**PROPERTIES, "JMSPriority": 4, "JMSType": None}
    began = time.perf_counter()
    for _ in range(evaluations):
        function(values)
    return (time.perf_counter() - began) / evaluations * 1e9


def evaluation(evaluations: int) -> list[Figure]:
    """Each case and its baseline in turns; of each the best round."""
    figures = []
    for name, text, by_hand, aim in CASES:
        matches = Selector(text).matches
        rounds = [(nanoseconds(matches, evaluations), nanoseconds(by_hand, evaluations)) for _ in range(ROUNDS)]
        selector, baseline = (min(times) for times in zip(*rounds, strict=True))
        figures.append(Figure(f"selector, {name}", selector, "ns", selector / baseline, "time by hand", aim))
    return figures


def sharing(messages: int) -> list[Figure]:
    """Frames decoded and matched for 100 subscribers with 10 distinct selectors between them."""
    frames = [
        wire.encode(
            make_frame(
                "topic://quakes",
                f"ID:{number}",
                1_700_000_000_000 + number,
                wire.BYTES,
                os.urandom(BODY),
                properties=encode_properties({**PROPERTIES, "magnitude": number % 100 / 10}),
            )
        )
        for number in range(100)
    ]
    subscribers = [Selector(f"magnitude >= {number % 10} AND type = 'earthquake'") for number in range(SUBSCRIBERS)]
    groups = dict.fromkeys(subscribers)
    assert len(groups) == 10
    by_hand: list[Callable[[Mapping[str, Any]], object]] = [
        lambda values, least=least: values["magnitude"] >= least and values["type"] == "earthquake"  # type: ignore[misc]
        for least in range(10)
    ]

    def each_group(frame: bytes) -> None:
        values = MessageValues(frame).values
        for selector in groups:
            selector.matches(values)

    def each_subscriber(frame: bytes) -> None:
        values = MessageValues(frame)
        for selector in subscribers:
            values.match(selector)

    def hand_written(frame: bytes) -> None:
        values = decode_properties(wire.decode_frame(frame).properties)
        for function in by_hand:
            function(values)

    def rate(work: Callable[[bytes], None]) -> float:
        began = time.perf_counter()
        for number in range(messages):
            work(frames[number % 100])
        return messages / (time.perf_counter() - began)

    rounds = [(rate(each_group), rate(each_subscriber), rate(hand_written)) for _ in range(ROUNDS)]
    by_group, by_subscriber, baseline = (max(rates) for rates in zip(*rounds, strict=True))
    unit = "messages/s"
    return [
        Figure("100 subscribers, grouped by 10 selectors", by_group, unit, by_group / baseline, "by hand"),
        Figure("the same, asked by every subscriber", by_subscriber, unit, by_subscriber / baseline, "by hand"),
    ]


def reading(selectors: int) -> list[Figure]:
    """Selectors never seen before, from text to function."""
    Selector("warm_up")
    began = time.perf_counter()
    kept = [Selector(f"magnitude >= {number}.5 AND type = 'earthquake'") for number in range(selectors)]
    assert len(kept) == selectors
    return [Figure("reading a new selector", (time.perf_counter() - began) / selectors * 1e6, "us")]


def measure(evaluations: int, messages: int) -> list[Figure]:
    """All figures."""
    return evaluation(evaluations) + sharing(messages) + reading(200)


if __name__ == "__main__":
    report(__doc__, measure, evaluations=100_000, messages=5_000)
