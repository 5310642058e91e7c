"""Short runs of the whole harness, on real processes; longer ones are in docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmimom_chaos.history import producer_of
from rmimom_chaos.judgement import INVALID, VALID
from rmimom_chaos.namespaces import Namespaces
from rmimom_chaos.network import Network
from rmimom_chaos.proxies import Proxies
from rmimom_chaos.run import Outcome, Run, Settings

HASTY = Path(__file__).parent / "hasty_server.py"


def run(directory: Path, network: Network, seed: int, faults: list[str], *, duration: float, **more: object) -> Outcome:
    """One run; what it says goes into the output of the test."""
    settings = Settings(
        seed=seed,
        duration=duration,
        faults=faults,
        servers=2,
        rate=100,
        directory=directory / "run",
        **more,  # type: ignore[arg-type]
    )
    return Run(settings, network, print)()


def network_here() -> Network:
    """The best that can be had."""
    return Proxies() if Namespaces.missing() else Namespaces()


RUNS = {
    "killed and paused": (3, "rmi", ["kill-active", "pause-active", "kill-clients"]),
    "cut off": (5, "rmi", ["partition-full", "partition-servers"]),
    "names forgotten": (7, "rmi", ["nameserver-forgets", "kill-standby"]),
    "stomp and rmi": (4, "mixed", ["kill-active", "kill-clients"]),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", RUNS)
def test_no_promise_is_broken(name: str, tmp_path: Path) -> None:
    seed, protocol, faults = RUNS[name]
    outcome = run(tmp_path, network_here(), seed, faults, duration=12, protocol=protocol)
    judgement = outcome.judgement
    found = [f"{one.checker}: {finding}" for one in judgement.verdicts for finding in one.findings[:5]]
    assert judgement.outcome == VALID, "\n".join([judgement.trouble, *found])
    assert outcome.injected
    assert outcome.events > 1000


@pytest.mark.timeout(240)
def test_a_server_that_confirms_too_early_is_found_by_clients_of_both_kinds(tmp_path: Path) -> None:
    outcome = run(tmp_path, Proxies(), 1, ["kill-active"], duration=8, protocol="mixed", server_module=[str(HASTY)])
    assert outcome.judgement.outcome == INVALID
    found = {verdict.checker: verdict.values for verdict in outcome.judgement.verdicts if verdict.valid is False}
    broken = found.get("total queue", set()) | found.get("acknowledged", set())
    # A producer that speaks STOMP has another name with each connection.
    assert {"/" in producer_of(value)[0] for value in broken} == {True, False}, found
