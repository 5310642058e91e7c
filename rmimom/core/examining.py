"""Examining: frames from the store are held against the selectors of a queue's consumers."""

from __future__ import annotations

from collections.abc import Mapping

from rmimom.commands import Examined
from rmimom.effects import Examine
from rmimom.selector import MessageValues, Selector


def examine(asked: Examine, frames: Mapping[int, bytes]) -> list[Examined]:
    """The answers to give the broker, for those messages whose frames are given."""
    values = {number: MessageValues(frame, asked.notes.get(number, "")) for number, frame in frames.items()}
    answers: list[Examined] = []
    for text in asked.selectors:
        selector = Selector(text)
        taken = [number for number, message in values.items() if message.match(selector)]
        if taken:
            answers.append(Examined(asked.mailbox, text, taken))
    return answers
