"""Figures, printed as a table or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure; `ratio` is against `baseline` of the same run, `aim` the ratio (or value) to reach.

    `values` are those of all runs, where one value would hide too much.
    """

    name: str
    value: float
    unit: str
    ratio: float | None = None
    baseline: str = ""
    aim: float | None = None
    values: tuple[float, ...] = ()


def show(figures: list[Figure], as_json: bool) -> None:
    """Print figures."""
    if as_json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:6.2f} x {figure.baseline}"
        aim = "" if figure.aim is None else f"(aim {figure.aim:g})"
        print(f"{figure.name:<44} {figure.value:>12,.1f} {figure.unit:<28} {ratio} {aim}".rstrip(), flush=True)
        if figure.values:
            print("    each: " + " ".join(f"{value:,.0f}" for value in figure.values), flush=True)


def report(description: str | None, measure: Callable[..., list[Figure]], **defaults: int) -> None:
    """The command line of a benchmark: an option for each default, and --json."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = vars(parser.parse_args())
    as_json = chosen.pop("json")
    show(measure(**chosen), as_json)
