"""Tables of the settings file that stand for rules: [[redelivery]] and [[retention]]."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import msgspec

from rmimom.config_values import nearest, parse_size, wrong
from rmimom.errors import ConfigurationError
from rmimom.policy import RedeliveryPolicy, Rule
from rmimom.retention import Retention

_T_co = TypeVar("_T_co", covariant=True)


class RedeliveryTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table [[redelivery]] as it is written: durations are in seconds."""

    destination: str
    maximum: int = RedeliveryPolicy().maximum
    delay: float = 0.0
    multiplier: float = 1.0
    maximum_delay: float = RedeliveryPolicy().maximum_delay / 1000
    jitter: float = 0.0
    dead_letter: str = RedeliveryPolicy().dead_letter
    expiry: str = ""

    def rule(self) -> Rule:
        """What it means; raises ConfigurationError for a value out of its range."""
        if not (math.isfinite(self.delay) and math.isfinite(self.maximum_delay)):
            raise ConfigurationError("a delay must be a number of seconds")
        return Rule(
            self.destination,
            RedeliveryPolicy(
                maximum=self.maximum,
                delay=round(self.delay * 1000),
                multiplier=self.multiplier,
                maximum_delay=round(self.maximum_delay * 1000),
                jitter=self.jitter,
                dead_letter=self.dead_letter,
                expiry=self.expiry,
            ),
        )


class RetentionTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table [[retention]] as it is written."""

    destination: str
    messages: int = Retention(pattern=">").messages
    bytes: int | str = Retention(pattern=">").bytes
    seconds: float = 0.0

    def rule(self) -> Retention:
        """What it means; raises ConfigurationError for a value out of its range."""
        if not math.isfinite(self.seconds):
            raise ConfigurationError("seconds must be a number")
        return Retention(
            pattern=self.destination,
            messages=self.messages,
            bytes=self.bytes if isinstance(self.bytes, int) else parse_size(self.bytes, "bytes"),
            milliseconds=round(self.seconds * 1000),
        )


class _Table(Protocol[_T_co]):
    """A table as it is written."""

    __struct_fields__: ClassVar[tuple[str, ...]]

    def rule(self) -> _T_co: ...


def read_tables(name: str, kind: type[_Table[_T_co]], tables: object, file: Path) -> tuple[_T_co, ...]:
    """The rules that tables of this name and kind mean; raises ConfigurationError, which says where what is wrong."""
    if not isinstance(tables, list):
        raise wrong(f"{name} in {file}", tables, f"one or more tables: write [[{name}]]")
    keys = kind.__struct_fields__
    rules: list[_T_co] = []
    for number, table in enumerate(tables, 1):
        try:
            rules.append(msgspec.convert(table, kind, strict=True).rule())
        except (msgspec.ValidationError, ConfigurationError) as error:
            text = error.text if isinstance(error, ConfigurationError) else str(error)
            near = next((nearest(key, keys) for key in set(table) - {*keys}), "")
            raise ConfigurationError(
                f"[[{name}]] number {number} in {file}: {text}{near}", file=str(file), setting=name
            ) from None
    return tuple(rules)
