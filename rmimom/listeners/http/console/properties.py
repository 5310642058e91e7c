"""Properties of messages on pages and in forms: a name, a type of JMS, and a value as text.

The interface writes values of types that JSON does not know as objects with one member (see `message.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from rmimom.listeners.http.console.form import Form
from rmimom.listeners.http.problems import bad_request

TYPES: Final = ("string", "boolean", "byte", "short", "int", "long", "float", "double")
"""The types of properties (Jakarta Messaging §3.5.1)."""
_WHOLE: Final = frozenset({"byte", "short", "int", "long"})
_TRUTH: Final = {"true": True, "false": False}
SPARE: Final = 4
"""Empty rows of a form."""


class Property(NamedTuple):
    """A property as a form shows it."""

    name: str
    type: str
    value: str


def typed(properties: Mapping[str, Any]) -> list[Property]:
    """Properties as the interface has them, for people."""
    return [Property(name, *_type_of(value)) for name, value in properties.items()]


def _type_of(value: Any) -> tuple[str, str]:
    if isinstance(value, dict) and len(value) == 1:
        [(name, inner)] = value.items()
        return str(name), str(inner)
    if isinstance(value, bool):
        return "boolean", str(value).lower()
    if isinstance(value, int):
        return "long", str(value)
    if isinstance(value, float):
        return "double", repr(value)
    return "string", "" if value is None else str(value)


def rows_of(form: Form) -> list[Property]:
    """The rows of a form, in which something was written."""
    rows = zip(form.all("property-name"), form.all("property-type"), form.all("property-value"), strict=False)
    return [Property(*row) for row in rows if any((row[0].strip(), row[2]))]


def read_properties(rows: Iterable[Property]) -> dict[str, Any]:
    """The properties that the rows of a form name, as the interface takes them.  Raises Refusal."""
    found: dict[str, Any] = {}
    for row in rows:
        name = row.name.strip()
        if not name:
            raise bad_request(f"the property with the value {row.value[:100]!r} has no name")
        if name in found:
            raise bad_request(f"the property {name!r} stands there twice")
        found[name] = _read(row, name)
    return found


def _read(row: Property, name: str) -> Any:
    text = row.value.strip()
    try:
        if row.type in _WHOLE:
            return int(text) if row.type == "long" else {row.type: int(text)}
        if row.type in {"float", "double"}:
            number = float(text)
            value = number if number - number == 0.0 else str(number)
            return {"float": value} if row.type == "float" else _double(value)
        if row.type == "boolean":
            return _TRUTH[text.lower()]
    except (ValueError, KeyError):
        raise bad_request(f"the property {name!r} is no {row.type}: {row.value[:100]!r}") from None
    if row.type != "string":
        raise bad_request(f"properties are of the types {', '.join(TYPES)}, not {row.type[:100]!r}")
    # Browsers send every line's end as CR and LF.
    return row.value.replace("\r\n", "\n")


def _double(value: float | str) -> Any:
    return {"double": value} if isinstance(value, str) else value
