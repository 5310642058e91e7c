"""Who a server is: an id that stays with its data directory."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

from rmimom.errors import StoreDamagedError

FILE_NAME: Final = "server-id"
_PATTERN: Final = re.compile(r"[0-9a-f]{16}")


def read_or_make_server_id(directory: Path) -> str:
    """The id in the data directory; at the first start it is made, at random.

    Raises StoreDamagedError if the file holds something else, OSError if it cannot be read or made.
    """
    path = directory / FILE_NAME
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        made = secrets.token_hex(8)
        # Moved into place: an interrupted start leaves no half of an id.
        draft = path.with_name(FILE_NAME + ".new")
        draft.write_text(made + "\n", encoding="ascii")
        draft.replace(path)
        return made
    if not _PATTERN.fullmatch(found):
        raise StoreDamagedError(
            f"{path} holds no server id (16 hexadecimal digits); restore it, or remove it to have a new one made",
            path=str(path),
        )
    return found
