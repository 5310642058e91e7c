"""Values of settings as people write them: sizes, addresses, and what is said of those that are wrong."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable

from rmimom.errors import ConfigurationError

_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)")


def nearest(name: str, known: Iterable[str]) -> str:
    """The name that was perhaps meant, as the end of a sentence; empty if none is near."""
    near = difflib.get_close_matches(name.replace("-", "_"), known, 1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


def wrong(origin: str, value: object, must: str) -> ConfigurationError:
    """The error for a value that is not what it must be; `origin` says where it stands."""
    return ConfigurationError(f"{origin} is {value!r}, but must be {must}", setting=origin, value=str(value))


def parse_size(text: str, origin: str = "the size") -> int:
    """Bytes from a text such as `4096`, `64 KiB`, `1.5GiB` or `10MB`; raises ConfigurationError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise wrong(origin, text, "a number of bytes, with a unit if you like: KiB, MiB, GiB, KB, MB, GB")
    # A whole number stays exact, however large.
    return int(match[1]) * unit if match[1].isdigit() else round(float(match[1]) * unit)


def format_size(size: int) -> str:
    """Bytes as people write them: exactly, in the largest binary unit that divides them."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def is_host(text: str) -> bool:
    """Whether it can be a name of a machine or an address of it."""
    if ":" not in text:
        return re.search(r"[\s@/\[\]]", text) is None
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def split_address(text: str, origin: str, *, least_port: int = 1) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`; raises ConfigurationError for anything else."""
    host, separator, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        separator = ""
    if not (separator and host and port.isascii() and port.isdigit() and least_port <= int(port) < 65536) or re.search(
        r"\s", text
    ):
        raise wrong(origin, text, "HOST:PORT, such as 127.0.0.1:9090")
    return host, int(port)
