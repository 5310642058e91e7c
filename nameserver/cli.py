"""The command `rmimom-ns`: the name server in the foreground."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click

from rmimom import __version__
from rmimom.errors import JMSError
from rmimom.nameserver.daemon import REQUEST_TIMEOUT
from rmimom.nameserver.embedded import FILE_NAME, EmbeddedNameServer, start_embedded
from rmimom.paths import data_directory

log = logging.getLogger("rmimom.nameserver")

LEVELS = ("debug", "info", "warning", "error")


@click.command(context_settings={"auto_envvar_prefix": "RMIMOM_NS", "show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=9090, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=data_directory,
    show_default="$RMIMOM_DATA, or $XDG_DATA_HOME/rmimom, or ~/.local/share/rmimom",
    help=f"Directory that keeps the names, in the file {FILE_NAME}.",
)
@click.option("--memory", is_flag=True, help="Keep the names in memory only; they are forgotten at the stop.")
@click.option(
    "--request-timeout",
    default=REQUEST_TIMEOUT,
    type=click.FloatRange(0, min_open=True),
    help="Seconds that one request may take to arrive.",
)
@click.option(
    "--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Write HOST:PORT here once the server serves."
)
@click.option("--log-level", default="info", type=click.Choice(LEVELS, case_sensitive=False), help="What to log.")
@click.version_option(__version__, prog_name="rmimom-ns")
def main(
    host: str, port: int, data: Path, memory: bool, request_timeout: float, ready_file: Path | None, log_level: str
) -> None:
    """Serve names to Pyro5 programs: Pyro5's own name server, with its names kept on disk.

    Runs in the foreground until Ctrl-C or SIGTERM.  Each option can also be given as an environment variable, such as
    RMIMOM_NS_PORT for --port.  Ends with exit code 0 after a stop, 1 if it cannot serve, 2 if an option is wrong.
    """
    _configure_logging(log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = start_embedded(host, port, None if memory else data / FILE_NAME, request_timeout=request_timeout)
    except JMSError as error:
        raise click.ClickException(error.text) from error
    with server:
        if ready_file is not None:
            _write_ready_file(ready_file, server)
        _announce(server)
        # A wait without end could not be broken by a signal on every system, and would not see the server fail.
        while not stop.wait(0.5) and server.running:
            pass
        failed = not stop.is_set()
        count = server.count
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    if failed:
        raise click.ClickException("the name server ended by itself; the log says why")
    click.echo(f"stopped; {_kept(count, server.file)}")


def _configure_logging(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True
    )
    if level != "debug":
        # Pyro5 tells each step of its start at level info.
        logging.getLogger("Pyro5").setLevel(max(logging.WARNING, logging.getLogger().level))


def _announce(server: EmbeddedNameServer) -> None:
    click.echo(f"rmimom-ns {__version__} serves names")
    click.echo(f"  URI      {server.uri}")
    click.echo(f"  names    {_kept(server.count, server.file)}")
    click.echo(f"  to stop  Ctrl-C, or kill {os.getpid()}")
    if not server.is_local:
        log.warning("whoever can reach %s can change every name: Pyro5's name server asks for no password", server.host)
        try:
            server.start_broadcast()
        except OSError as error:
            log.warning("no broadcast search, programs must be told where the name server is: %s", error)
    sys.stdout.flush()


def _kept(count: int, file: Path | None) -> str:
    names = "1 name" if count == 1 else f"{count} names"
    return f"{names} kept in {file}" if file else f"{names} in memory, which are forgotten at the stop"


def _write_ready_file(path: Path, server: EmbeddedNameServer) -> None:
    # Written beside and moved: whoever waits for the file finds it whole.
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_text(server.location + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise click.ClickException(f"cannot write --ready-file {path}: {error}") from error
