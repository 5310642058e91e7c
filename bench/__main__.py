"""All benchmarks, one after the other: python -m bench [--json]."""

from __future__ import annotations

import argparse

from bench import (
    aio,
    backlog,
    chosen,
    consoles,
    delayed,
    durable_queue,
    failover,
    fanout,
    selectors,
    single_send,
    stomp,
    store,
    transactions,
)
from bench.report import Figure, show


def main() -> None:
    """Run everything with its default size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    as_json = parser.parse_args().json
    figures: list[Figure] = []
    for measured in (
        lambda: durable_queue.measure(100_000),
        lambda: single_send.measure(5_000, 10),
        lambda: fanout.measure(40_000),
        lambda: backlog.measure(200_000, 1_000),
        lambda: store.measure(20_000, 4, 200_000),
        lambda: selectors.measure(100_000, 20_000),
        lambda: transactions.measure(50_000),
        lambda: chosen.measure(5_000),
        lambda: delayed.measure(100_000),
        lambda: consoles.measure(10, 10, 100_000),
        lambda: aio.measure(100_000),
        lambda: stomp.measure(50_000),
        lambda: failover.measure([], 20, 200_000, 50_000),
    ):
        found = measured()
        figures += found
        if not as_json:
            show(found, as_json=False)
    if as_json:
        show(figures, as_json=True)


if __name__ == "__main__":
    main()
