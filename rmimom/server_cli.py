"""The command `rmimom-server`: one server in the foreground, or started, stopped and asked in the background."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from rmimom import __version__
from rmimom.config import SETTINGS, ServerConfig, Setting
from rmimom.config_sources import Loaded, load
from rmimom.errors import ConfigurationError
from rmimom.server.exit_codes import ExitCode

F = TypeVar("F", bound=Callable[..., Any])

START_WAIT: Final = 300.0
STOP_WAIT: Final = 60.0
_PATH = click.Path(dir_okay=False, path_type=Path)


def _setting_options(*names: str) -> Callable[[F], F]:
    """An option for each of these settings, all of them if none is named; their values stay text for `load`."""

    def decorate(function: F) -> F:
        for setting in reversed([SETTINGS[name] for name in names or SETTINGS]):
            function = _setting_option(setting)(function)
        return click.option("--config", type=_PATH, help="TOML file with settings.  [RMIMOM_CONFIG]")(function)

    return decorate


def _setting_option(setting: Setting) -> Callable[[F], F]:
    about = setting.about
    default = setting.default_text.replace("`", "")
    text = about.text.replace("`", "")
    unit = f" In {about.unit}." if about.unit else ""
    help_text = f"{text}{unit}  [{setting.variable}; default: {default}]"
    if setting.kind is bool:
        return click.option(f"{setting.option}/--no-{setting.option[2:]}", setting.name, default=None, help=help_text)
    metavar = "|".join(about.choices) or about.unit.upper() or {int: "NUMBER", Path: "PATH"}.get(setting.kind, "TEXT")
    return click.option(setting.option, setting.name, metavar=metavar, help=help_text)


def _role_options(function: F) -> F:
    function = click.option("--standby", is_flag=True, help="Copy the active server, and take over when it fails.")(
        function
    )
    return click.option("--active", is_flag=True, help="Serve clients.")(function)


def _load(config: Path | None, given: Mapping[str, Any]) -> Loaded:
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    try:
        return load(texts, file=config)
    except ConfigurationError as error:
        raise _Failure(error.text, ExitCode.USAGE) from error


class _Failure(click.ClickException):
    """Shown as `Error: text`."""

    def __init__(self, text: str, code: ExitCode) -> None:
        super().__init__(text)
        self.exit_code = code  # type: ignore[misc]  # click calls it a class variable, and sets it so itself


def _role(active: bool, standby: bool) -> str:
    if standby and active:
        raise click.UsageError("--active or --standby, not both")
    if not active and not standby:
        raise click.UsageError(
            "say what the server is to be: --active or --standby (or use start, stop, status; see --help)"
        )
    return "standby" if standby else "active"


@click.group(invoke_without_command=True, context_settings={"max_content_width": 110})
@_role_options
@_setting_options()
@click.option("--ready-file", type=_PATH, help="Write port and process id here, as JSON, once the server serves.")
@click.option("--detached", is_flag=True, hidden=True)
@click.version_option(__version__, prog_name="rmimom-server")
@click.pass_context
def main(
    context: click.Context,
    /,
    active: bool,
    standby: bool,
    config: Path | None,
    ready_file: Path | None,
    detached: bool,
    **given: str | bool | None,
) -> None:
    """A message server: JMS queues and topics over Pyro5 remote objects.

    Runs in the foreground until Ctrl-C or SIGTERM; a second one stops at once.  For a server in the background see
    start, stop and status.  A setting comes from its option, else its environment variable, else the file of --config,
    else its default.

    \b
    Examples:
      rmimom-server --active
      rmimom-server --active --port 61700 --data /var/lib/rmimom --nameserver names.example:9090
      rmimom-server --standby --port 61701 --data /var/lib/rmimom-standby --nameserver names.example:9090
      rmimom-server start --active && rmimom-server status && rmimom-server stop

    \b
    Exit codes:
      0  done, or an orderly stop
      1  something failed at run time; no server is running (stop, status)
      2  an option, a setting or the configuration file is wrong
      3  the data cannot be used: in use by another server, damaged, of another cluster, or written by a newer version
      4  the address is in use, the names in the name server belong to another server, or another one is active already
    """  # \b is click's
    if context.invoked_subcommand is not None:
        before = [name for name, value in context.params.items() if value not in {None, False}]
        if before:
            raise click.UsageError(f"options belong after {context.invoked_subcommand!r}, not before it")
        return
    role = _role(active, standby)
    loaded = _load(config, given)
    raise SystemExit(_serve(loaded, role, ready_file, detached))


def _serve(loaded: Loaded, role: str, ready_file: Path | None, detached: bool) -> ExitCode:
    # Here, because the other commands need none of the server's parts.
    import logging

    from rmimom.cluster.role import Role
    from rmimom.server.background import close_standard_output
    from rmimom.server.logs import configure_logging
    from rmimom.server.process import run_server

    configure_logging(loaded.config.log_level)
    for remark in loaded.remarks:
        logging.getLogger("rmimom.server").warning("%s", remark)

    def say(text: str) -> None:
        try:
            click.echo(text)
        except OSError:
            pass  # nobody reads it; that is no reason not to serve

    def on_serving() -> None:
        if detached:
            close_standard_output()

    return run_server(loaded.config, Role(role), ready_file, say, on_serving)


@main.command()
@_role_options
@_setting_options()
@click.option("--ready-file", type=_PATH, help="Write port and process id here, as JSON, once the server serves.")
@click.option(
    "--log-file", type=_PATH, help="Append the log to this file.  [default: rmimom.log in the data directory]"
)
@click.option(
    "--wait",
    default=START_WAIT,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds to wait until it serves.",
)
def start(
    active: bool,
    standby: bool,
    config: Path | None,
    ready_file: Path | None,
    log_file: Path | None,
    wait: float,
    **given: str | bool | None,
) -> None:
    """Start a server in the background and wait until it serves."""
    from rmimom.server.background import LOG_NAME, start_in_background

    role = _role(active, standby)
    settings = _load(config, given).config
    arguments = [f"--{role}", *_arguments(given)]
    for option, path in (("--config", config), ("--ready-file", ready_file)):
        if path is not None:
            arguments += [option, str(path)]
    _end(partial(start_in_background, settings, arguments, log_file or settings.data / LOG_NAME, wait))


def _arguments(given: Mapping[str, Any]) -> list[str]:
    """The options again, as they were given."""
    arguments: list[str] = []
    for name, value in given.items():
        option = SETTINGS[name].option
        if isinstance(value, bool):
            arguments.append(option if value else f"--no-{option[2:]}")
        elif value is not None:
            arguments += [option, value]
    return arguments


@main.command()
@_setting_options("data", "pidfile")
@click.option(
    "--wait",
    default=STOP_WAIT,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds to wait until it has ended.",
)
def stop(config: Path | None, wait: float, **given: str | None) -> None:
    """Stop the server that runs on a data directory, and wait until it has ended."""
    from rmimom.server.background import stop_running

    _end(partial(stop_running, _load(config, given).config, wait))


def _end(work: Callable[[], Any]) -> None:
    """Do the work, tell how it ended, and end with its code."""
    try:
        code, text = work()
    except ConfigurationError as error:
        raise _Failure(error.text, ExitCode.USAGE) from error
    if code is not ExitCode.OK:
        raise _Failure(text, code)
    click.echo(text)


@main.command()
@_setting_options("data", "pidfile")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(config: Path | None, as_json: bool, **given: str | None) -> None:
    """Say whether a server runs on a data directory (exit code 0) or not (1), and how it is."""
    from rmimom.server.background import ask_status

    settings = _load(config, given).config
    try:
        found = ask_status(settings)
    except ConfigurationError as error:
        raise _Failure(error.text, ExitCode.USAGE) from error
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(_status_text(found, settings))
    sys.exit(ExitCode.OK if found["running"] else ExitCode.FAILED)


def _standby_text(found: Mapping[str, Any]) -> str:
    place = found["coordination"] or {}
    configuration = place.get("configuration") or {}
    active = configuration.get("active")
    in_sync = found["server_id"] in configuration.get("members", ())
    return "\n".join(
        [
            f"rmimom-server {found['version']} is standby, {place.get('phase', 'idle')}, process {found['pid']}",
            f"  address      {found['address']}",
            f"  data         {found['data']}",
            f"  up           {found['uptime']:,.0f} s",
            f"  name server  {found['nameserver']}",
            f"  active       {active or 'not known'}; this server is {'in sync' if in_sync else 'not in sync'}",
        ]
    )


def _status_text(found: Mapping[str, Any], settings: ServerConfig) -> str:
    if not found["running"]:
        return f"no server is running on {settings.data}"
    if not found["answers"]:
        trouble = found.get("trouble") or "it is starting or stopping, or its admin-token cannot be read"
        return f"process {found['pid']} is running on {settings.data}, but does not answer: {trouble}"
    if found["role"] == "standby":
        return _standby_text(found)
    registration = found["registration"] or {}
    names = registration.get("trouble") or ("names registered" if registration else "names are registered nowhere")
    return "\n".join(
        [
            f"rmimom-server {found['version']} is {found['role']}, epoch {found['epoch']}, process {found['pid']}",
            f"  address      {found['address']}",
            f"  data         {found['data']}",
            f"  up           {found['uptime']:,.0f} s",
            f"  name server  {found['nameserver'] or 'none'}; {names}",
            f"  connections  {found['connections']}, with {found['consumers']} consumers",
            f"  messages     {found['pending']} wait in {found['queues']} queues and {found['topics']} topics",
        ]
    )


@main.command()
def settings() -> None:
    """Print every setting with its meaning, as Markdown: this is docs/configuration.md."""
    from rmimom.server.settings_page import settings_page

    click.echo(settings_page(), nl=False)


if __name__ == "__main__":
    main(prog_name="rmimom-server")
