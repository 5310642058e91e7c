"""The command `rmimom-chaos`."""

from __future__ import annotations

import importlib.util
import random
import shutil
import signal
import sys
import tempfile
import types
from pathlib import Path

import click

from rmimom import __version__
from rmimom_chaos.casts import PROTOCOLS
from rmimom_chaos.faults import FAULTS
from rmimom_chaos.judgement import UNKNOWN, VALID
from rmimom_chaos.namespaces import Namespaces
from rmimom_chaos.network import Network
from rmimom_chaos.process import ProcessError
from rmimom_chaos.proxies import Proxies


def choose_network(wanted: str) -> Network:
    """The network of this kind; raises ProcessError if there can be none here."""
    if wanted in {"auto", "namespaces"}:
        missing = Namespaces.missing()
        if not missing:
            return Namespaces()
        if wanted == "namespaces":
            raise ProcessError(f"there is no network of namespaces here: {missing}")
    if missing := Proxies.missing():
        raise ProcessError(f"there is no network of proxies here: {missing}")
    return Proxies()


def chosen_faults(text: str) -> list[str]:
    """The names in a list with commas; raises UsageError if one is unknown."""
    if text == "all":
        return list(FAULTS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in FAULTS]
    if unknown or not names:
        raise click.UsageError(f"there is no fault {', '.join(unknown) or text!r}; --list-faults tells which there are")
    return names


@click.command(context_settings={"max_content_width": 110})
@click.option("--seed", type=int, help="Of the plan of faults, and of the clients.  [default: by chance]")
@click.option("--duration", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds of faults.")
@click.option("--faults", "wanted", default="all", show_default=True, metavar="LIST|all", help="Names with commas.")
@click.option("--servers", type=click.IntRange(1, 5), default=2, show_default=True, help="The active and its standbys.")
@click.option("--rate", type=click.FloatRange(1), default=150.0, show_default=True, help="Messages a second, about.")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="rmi",
    show_default=True,
    help="What the clients speak; mixed is some of each on the same destinations.",
)
@click.option(
    "--network",
    "network_kind",
    type=click.Choice(["auto", "namespaces", "proxy"]),
    default="auto",
    show_default=True,
    help="How the processes are joined: network namespaces need root.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="For data, logs and history.  [default: one for temporary files, kept if the run is not valid]",
)
@click.option("--keep", is_flag=True, help="Keep the directory in any case.")
@click.option("--json", "as_json", is_flag=True, help="Write the outcome as JSON.")
@click.option("--list-faults", is_flag=True, help="Tell which faults there are.")
@click.version_option(__version__, prog_name="rmimom-chaos")
def main(
    seed: int | None,
    duration: float,
    wanted: str,
    servers: int,
    rate: float,
    protocol: str,
    network_kind: str,
    directory: Path | None,
    keep: bool,
    as_json: bool,
    list_faults: bool,
) -> None:
    """Break a cluster of real processes under load, and judge what its clients saw.

    A name server, servers, producers and consumers are started in a network of their own; faults happen by a plan that
    the seed decides; then everything heals, all is taken, and the checkers read the history.

    \b
    Exit codes:
      0  valid
      1  something was lost, came again, or broke another promise
      2  nobody can tell: the run could not be finished, or not even begun
    """  # \b is click's
    if list_faults:
        width = max(map(len, FAULTS))
        for name, fault in FAULTS.items():
            click.echo(f"{name:{width}}  {fault.summary}")
        return
    faults = chosen_faults(wanted)
    if protocol != "rmi" and importlib.util.find_spec("stomp") is None:
        raise click.UsageError(f"--protocol {protocol} needs stomp.py: pip install stomp.py")
    seed = random.randrange(1, 1_000_000) if seed is None else seed
    made = directory is None
    place = Path(tempfile.mkdtemp(prefix="rmimom-chaos-")) if directory is None else directory
    signal.signal(signal.SIGTERM, _interrupt)
    from rich.console import Console

    from rmimom_chaos import report
    from rmimom_chaos.run import Run, Settings

    said = Console(stderr=True, highlight=False)
    try:
        network = choose_network(network_kind)
        said.print(
            f"seed {seed}, {duration:g} s of faults, {servers} servers, clients: {protocol}, network: {network.kind}"
        )
        settings = Settings(
            seed=seed,
            duration=duration,
            faults=faults,
            servers=servers,
            rate=rate,
            directory=place,
            protocol=protocol,
        )
        outcome = Run(settings, network, lambda text: said.print(text, markup=False))()
    except (ProcessError, OSError) as error:
        click.echo(f"rmimom-chaos: {error}", err=True)
        click.echo(f"logs and history: {place}", err=True)
        sys.exit(UNKNOWN)
    if as_json:
        click.echo(report.as_json(outcome))
    else:
        report.show(outcome, Console(highlight=False))
    if made and not keep and outcome.judgement.outcome == VALID:
        shutil.rmtree(place)
    else:
        said.print(f"logs and history: {place}", markup=False)
    sys.exit(outcome.judgement.outcome)


def _interrupt(number: int, frame: types.FrameType | None) -> None:
    """End as Ctrl-C does, with all that has to be taken away."""
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
