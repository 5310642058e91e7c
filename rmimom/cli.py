"""The command `rmimom`."""

from __future__ import annotations

import sys

import click

from rmimom import __version__
from rmimom.errors import JMSError

WEEK_IN_SECONDS = 12.0
"""How long the demonstration's replay takes at its default speed."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rmimom")
def main() -> None:
    """Reliable message-oriented middleware.

    The server is started with `rmimom-server --active`, the name server with `rmimom-ns`, and looked at with
    `rmimom-admin status`.
    """


@main.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=7 * 24 * 3600 / WEEK_IN_SECONDS,
    show_default="the week in 12 seconds",
    help="How many times faster than it happened the week is replayed; 0 means as fast as possible.",
)
@click.option(
    "--failover/--no-failover",
    default=True,
    show_default=True,
    help="With a standby that takes over, or with one server that is started again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def demo(speed: float, failover: bool, as_json: bool) -> None:
    """Replay a week of earthquakes through an active server that is killed half-way, and its standby.

    Starts a name server and two servers; an archive with durable subscriptions that is offline for half of the time; a
    desk that chooses strong earthquakes with a selector and passes them on in transactions; and two workers, whose
    failures become dead letters that are sent back.  Exit code 0 only if everything arrived, nothing twice, and the
    standby is active at the end.

    \b
    Examples:
      rmimom demo
      rmimom demo --no-failover
      rmimom demo --speed 0 --json
    """
    # Imported here, so that `rmimom --help` does not wait for the client library and rich.
    from rmimom.demo.director import Director
    from rmimom.demo.quakes import read_quakes
    from rmimom.demo.view import View

    quakes = [quake for quake, _ in read_quakes()]
    try:
        with View(len(quakes), sum(quake.strong for quake in quakes), as_json) as view:
            outcome = Director(speed, view.watch, failover=failover).run()
        view.close(outcome)
    except JMSError as error:
        raise click.ClickException(error.text) from error
    sys.exit(0 if outcome.ok else 1)


if __name__ == "__main__":
    main()
