"""Options of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for recorded conversations and for the simulation."""
    group = parser.getgroup("rmimom")
    group.addoption("--rewrite", action="store_true", help="write the conversations and docs/conformance.md anew")
    group.addoption("--seeds", type=int, default=0, help="how many seeds the simulation runs (default: a few)")
    group.addoption(
        "--model-worlds", type=int, default=0, help="how many worlds the model check of the cluster looks at"
    )
    group.addoption("--first-seed", type=int, default=1, help="the first seed of the simulation")
