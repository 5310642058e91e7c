"""A process of clients: `python -m rmimom_chaos.worker`.  Started and told by the harness, over its standard input.

It works until it is told `stop-sending`; then it takes what there is until it is told `end`, or its input ends.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from pathlib import Path

import click

from rmimom_chaos.casts import CASTS, PROTOCOLS, speaks_stomp
from rmimom_chaos.recorder import Recorder
from rmimom_chaos.scene import Door, Scene


@click.command()
@click.option("--cast", required=True, type=click.Choice(list(CASTS)))
@click.option("--incarnation", required=True, type=int)
@click.option("--seed", required=True, type=int)
@click.option("--rate", required=True, type=float)
@click.option("--nameserver", required=True)
@click.option("--stomp", "addresses", required=True, multiple=True)
@click.option("--protocol", required=True, type=click.Choice(PROTOCOLS))
@click.option("--user", required=True)
@click.option("--password", required=True)
@click.option("--delivery", required=True)
@click.option("--history", required=True, type=click.Path(path_type=Path))
def main(
    cast: str,
    incarnation: int,
    seed: int,
    rate: float,
    nameserver: str,
    addresses: tuple[str, ...],
    protocol: str,
    user: str,
    password: str,
    delivery: str,
    history: Path,
) -> None:
    """Play the parts of one cast."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", level="INFO")
    for noisy in ("Pyro5", "stomp.py"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    stomp = [(host, int(port)) for host, _, port in (address.rpartition(":") for address in addresses)]
    door = Door(nameserver, stomp, user, password, delivery)
    with Recorder(history) as recorder:
        scene = Scene(recorder, door, incarnation=incarnation, seed=seed, rate=rate)
        actors = [make(scene) for make in CASTS[cast]]
        failures: list[BaseException] = []

        def play(part: int) -> None:
            try:
                actors[part].play(stomp=speaks_stomp(protocol, cast, part, incarnation))
            except BaseException as error:  # noqa: BLE001 - the process ends with it, and the harness says so
                traceback.print_exc()
                failures.append(error)
                scene.end()

        threads = [threading.Thread(target=play, args=(part,), name=actor.name) for part, actor in enumerate(actors)]
        for thread in threads:
            thread.start()
        listener = threading.Thread(target=listen, args=(scene,), daemon=True)
        listener.start()
        for thread in threads:
            thread.join()
    if failures:
        sys.exit(1)


def listen(scene: Scene) -> None:
    """Do what the harness says."""
    for line in sys.stdin:
        if line.strip() == "stop-sending":
            scene.sending_is_over.set()
        elif line.strip() == "end":
            break
    scene.end()


if __name__ == "__main__":
    main()
