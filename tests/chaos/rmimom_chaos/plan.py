"""When which fault happens: decided before anything is started, by the seed alone."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

CALM = (2.0, 5.0)
"""Seconds from the end of one fault to the next, at least and at most."""
LASTS = (1.5, 6.0)
"""Seconds that a fault lasts, at least and at most."""
HASTY = 0.2
"""The share of faults that do not wait until the cluster has got over the one before."""


NEVER_HASTY = frozenset({"nameserver-forgets"})
"""If a server dies as well before the name server knows again who is active, only an operator can tell."""


class Step(msgspec.Struct, frozen=True):
    """One fault: after so many seconds of calm, for so many seconds.

    `chance` is the seed of what it decides itself; `hasty`: it does not wait until all servers are in sync again.
    """

    calm: float
    fault: str
    lasts: float
    hasty: bool
    chance: int


def make_plan(seed: int, duration: float, faults: Sequence[str]) -> list[Step]:
    """Steps that take at least `duration` seconds in all; each kind comes once before one comes again."""
    chance = random.Random(seed)
    steps: list[Step] = []
    planned = 0.0
    deck: list[str] = []
    while planned < duration:
        if not deck:
            deck = sorted(faults)
            chance.shuffle(deck)
        step = Step(
            calm=round(chance.uniform(*CALM), 1),
            fault=deck.pop(),
            lasts=round(chance.uniform(*LASTS), 1),
            hasty=chance.random() < HASTY and not (steps and steps[-1].fault in NEVER_HASTY),
            chance=chance.randrange(2**32),
        )
        planned += step.calm + step.lasts
        steps.append(step)
    return steps
