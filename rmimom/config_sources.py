"""Where the values of the server's settings come from.

A value comes from the first of these that has one:

    command line  >  environment (RMIMOM_<NAME>)  >  TOML file  >  default

A file may keep the settings at its top or in a table [server].  A key that is no setting is refused: a setting that
is spelt wrong would otherwise be a setting that is not there.  Variables of the environment belong to everybody, so a
strange one among them is only remarked on, and an empty one counts as unset.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from rmimom.config import PREFIX, SETTINGS, ServerConfig, Value
from rmimom.config_tables import RedeliveryTable, RetentionTable, read_tables
from rmimom.config_values import nearest, wrong
from rmimom.errors import ConfigurationError
from rmimom.policy import Rule
from rmimom.retention import Retention

NEIGHBOURS: Final = ("RMIMOM_NS_", "RMIMOM_ADMIN_")
"""Variables that start like this belong to the other commands."""


class Loaded(NamedTuple):
    """Settings as they were found, and remarks on what was found beside them."""

    config: ServerConfig
    remarks: list[str]


def load(
    options: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Loaded:
    """Gather the settings from the command line's `options`, the environment and a TOML file.

    `options` are texts by the names of the settings; None stands for an option that was not given.  Without `file`,
    the variable RMIMOM_CONFIG may name one.  Raises ConfigurationError, which says where the wrong value stands.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Value] = {}
    tables = _Tables((), ())
    if file is None and environment.get(PREFIX + "CONFIG"):
        file = Path(environment[PREFIX + "CONFIG"]).expanduser()
    if file is not None:
        found_in_file, tables = _read_file(file)
        values.update(found_in_file)
    for setting in SETTINGS.values():
        text = environment.get(setting.variable)
        if text:
            values[setting.name] = setting.read_text(text, setting.variable)
    for name, given in (options or {}).items():
        found = SETTINGS.get(name)
        if found is None:
            raise ConfigurationError(f"there is no setting {name!r}{nearest(name, SETTINGS)}", setting=name)
        if given is not None:
            values[name] = found.read_text(given, found.option)
    config = msgspec.convert(values, ServerConfig, strict=True)
    return Loaded(msgspec.structs.replace(config, **tables._asdict()), list(_remarks(environment)))


class _Tables(NamedTuple):
    """What stands in tables of its own."""

    redelivery: tuple[Rule, ...]
    retention: tuple[Retention, ...]


def _read_file(file: Path) -> tuple[dict[str, Value], _Tables]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings in {file}: {error.strerror}", file=str(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the settings in {file} are no valid TOML: {error}", file=str(file)) from error
    table = content.pop("server", {})
    if not isinstance(table, dict):
        raise wrong(f"server in {file}", table, "a table: write [server]")
    tables = _Tables(
        read_tables("redelivery", RedeliveryTable, content.pop("redelivery", table.pop("redelivery", [])), file),
        read_tables("retention", RetentionTable, content.pop("retention", table.pop("retention", [])), file),
    )
    directory = file.absolute().parent
    values: dict[str, Value] = {}
    for name, value in [*content.items(), *table.items()]:
        setting = SETTINGS.get(name)
        if setting is None:
            raise ConfigurationError(
                f"{file} holds {name!r}, which is no setting of the server{nearest(name, SETTINGS)}",
                file=str(file),
                setting=name,
            )
        if name in values:
            raise ConfigurationError(
                f"{file} holds {name!r} both at its top and in [server]; take one away", file=str(file), setting=name
            )
        values[name] = setting.read_toml(value, f"{name} in {file}", directory)
    return values, tables


def _remarks(environment: Mapping[str, str]) -> Iterable[str]:
    known = {setting.variable for setting in SETTINGS.values()} | {PREFIX + "CONFIG"}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not name.startswith(NEIGHBOURS):
            near = nearest(name, known)
            if near:
                yield f"the environment variable {name} is no setting of the server{near}"
