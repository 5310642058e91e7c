"""What a message from a queue for the dead, or one that was sent back, says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TEXTS: Final = {"origin": "JMS_rmimom_original_destination", "reason": "JMS_rmimom_dead_reason"}
_NUMBERS: Final = {
    "failures": "JMS_rmimom_failures",
    "dead_at": "JMS_rmimom_dead_at",
    "retried_at": "JMS_rmimom_retried_at",
}


def note_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The facts for the history, from the properties of a message or from the headers of a MESSAGE frame."""
    found: dict[str, Any] = {fact: properties[name] for fact, name in _TEXTS.items() if name in properties}
    return found | {fact: int(properties[name]) for fact, name in _NUMBERS.items() if name in properties}
