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

from rmimom_chaos.actor import Scene
from rmimom_chaos.casts import CASTS
from rmimom_chaos.recorder import Recorder


@click.command()
@click.option("--cast", required=True, type=click.Choice(list(CASTS)))
@click.option("--incarnation", required=True, type=int)
@click.option("--seed", required=True, type=int)
@click.option("--rate", required=True, type=float)
@click.option("--nameserver", required=True)
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
    user: str,
    password: str,
    delivery: str,
    history: Path,
) -> None:
    """Play the parts of one cast."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", level="INFO")
    logging.getLogger("Pyro5").setLevel(logging.CRITICAL)
    with Recorder(history) as recorder:
        scene = Scene(
            recorder,
            incarnation=incarnation,
            seed=seed,
            rate=rate,
            nameserver=nameserver,
            user=user,
            password=password,
            delivery=delivery,
        )
        actors = [make(scene) for make in CASTS[cast]]
        failures: list[BaseException] = []

        def play(part: int) -> None:
            try:
                actors[part].play()
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
