"""The servers that somebody works with, by name: the file `contexts.toml` in the directory for configuration.

    current = "production"

    [contexts.production]
    urls = ["http://one.example:8161", "http://two.example:8161"]
    user = "admin"
    password_file = "/home/me/.rmimom-admin"

It holds no passwords, only where they are.  All the same it is for its owner alone: it says who may do what where.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rmimom.admin.failure import AWAY, Failure
from rmimom.paths import config_directory

FILE_NAME: Final = "contexts.toml"


class Context(NamedTuple):
    """One way to a server: its URLs, or the data directory of one on this machine; empty for what is not said."""

    urls: tuple[str, ...] = ()
    data: str = ""
    user: str = ""
    password_file: str = ""


class Contexts(NamedTuple):
    """All of them by name, and the one that counts when none is named; empty for none."""

    current: str
    known: dict[str, Context]

    def find(self, name: str) -> Context:
        """The context of this name; raises Failure."""
        if name not in self.known:
            there = ", ".join(sorted(self.known)) or "there are none"
            raise Failure(f"there is no context {name!r} ({there}); add it with: rmimom-admin context add", AWAY)
        return self.known[name]


def contexts_path() -> Path:
    """Where the file is."""
    return config_directory() / FILE_NAME


def read_contexts() -> Contexts:
    """What the file holds; nothing if there is none.  Raises Failure."""
    path = contexts_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {name: _context(entry) for name, entry in dict(found.get("contexts", {})).items()}
        return Contexts(str(found.get("current", "")), known)
    except FileNotFoundError:
        return Contexts("", {})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Failure(f"the contexts in {path} cannot be read: {error}", AWAY) from error


def _context(entry: Mapping[str, object]) -> Context:
    urls = entry.get("urls", [])
    if not isinstance(urls, list):
        raise TypeError("urls must be a list")
    texts = {name: str(entry.get(name, "")) for name in ("data", "user", "password_file")}
    return Context(tuple(map(str, urls)), **texts)


def write_contexts(contexts: Contexts) -> None:
    """Put them into the file, readable for its owner alone.  Raises Failure."""
    path = contexts_path()
    draft = path.with_name(FILE_NAME + ".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        # Made with its mode, so that there is no moment in which others could open it.
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_as_toml(contexts))
        draft.replace(path)
    except (OSError, UnicodeEncodeError) as error:
        raise Failure(f"the contexts cannot be written to {path}: {error}", AWAY) from error


def _as_toml(contexts: Contexts) -> str:
    lines = [f"current = {_text(contexts.current)}"] if contexts.current else []
    for name, context in sorted(contexts.known.items()):
        lines += ["", f"[contexts.{_text(name)}]"]
        if context.urls:
            lines.append(f"urls = [{', '.join(map(_text, context.urls))}]")
        for key in ("data", "user", "password_file"):
            if value := getattr(context, key):
                lines.append(f"{key} = {_text(value)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _text(value: str) -> str:
    # A JSON string is a basic string of TOML, but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
