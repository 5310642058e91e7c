"""How a command ends that could not do what it was asked: one line, and an exit code that scripts can tell apart.

0  done
1  refused by the server, or not there (a check: warning)
2  no server, or wrong usage (a check: critical)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

REFUSED: Final = 1
AWAY: Final = 2

# What clients chose as their names must not be able to speak to a terminal, and an error is one line.
_CONTROL: Final = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}
_LONGEST: Final = 600


def harmless(text: str) -> str:
    """The text in one line, without anything that a terminal would obey."""
    return text.translate(_CONTROL)


class Failure(click.ClickException):
    """Shown as `Error: TEXT [CODE]`; `code` is that of the library's errors or of HTTP, if there is one.

    `facts` are the values that the server's answer speaks of.
    """

    def __init__(
        self, text: str, exit_code: int = REFUSED, code: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]  # click calls it a class variable, and sets it so itself
        self.code = code
        self.facts = dict(facts or {})

    def format_message(self) -> str:
        """The text as it is shown; a very long name in it is cut."""
        text = harmless(" ".join(self.message.splitlines()))
        if len(text) > _LONGEST:
            text = text[: _LONGEST // 2] + " ... " + text[-_LONGEST // 2 :]
        return f"{text} [{self.code}]" if self.code else text
