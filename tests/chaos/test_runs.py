"""Short runs of the whole harness, on real processes; longer ones are in docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.timeout(500)
@pytest.mark.parametrize("protocol", ["rmi", "stomp"])
def test_a_server_that_confirms_too_early_is_found(protocol: str, tmp_path: Path) -> None:
    """What a kill takes depends on the moment, so a run may find nothing; three in a row do not."""
    found: set[str] = set()
    for seed in (1, 2, 3):
        directory = tmp_path / str(seed)
        directory.mkdir()
        more = {"protocol": protocol, "server_module": [str(HASTY)]}
        judgement = run(directory, Proxies(), seed, ["kill-active"], duration=8, **more).judgement
        found |= {verdict.checker for verdict in judgement.verdicts if verdict.valid is False}
        if found & {"total queue", "acknowledged"}:
            assert judgement.outcome == INVALID
            return
    pytest.fail(f"only this was found: {found}")
