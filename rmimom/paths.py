"""Where rmimom keeps its files when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def data_directory() -> Path:
    """The directory for data: `$RMIMOM_DATA`, else `$XDG_DATA_HOME/rmimom`, else `~/.local/share/rmimom`.

    An empty variable counts as unset, as the XDG base directory specification asks.  The directory may not exist yet;
    whoever writes to it makes it.
    """
    own = os.environ.get("RMIMOM_DATA")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_DATA_HOME")
    if shared:
        return Path(shared) / "rmimom"
    return Path.home() / ".local" / "share" / "rmimom"


def config_directory() -> Path:
    """The directory for what is configured once: `$XDG_CONFIG_HOME/rmimom`, else `~/.config/rmimom`."""
    shared = os.environ.get("XDG_CONFIG_HOME")
    return (Path(shared) if shared else Path.home() / ".config") / "rmimom"
