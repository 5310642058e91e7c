"""What a session asks of the server, and how it is told the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from rmimom.commands import Command
from rmimom.errors import JMSError

Answered: TypeAlias = Callable[[object, JMSError | None], None]
"""Takes the value of an answer, or the error with which something was refused."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A command for the core; nobody wants its answer if `answered` is None."""

    command: Command
    answered: Answered | None = None


class Login(msgspec.Struct, frozen=True, gc=False):
    """Somebody wants to come in; the answer has no value."""

    user: str
    passcode: str
    answered: Answered


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """Frames of messages that rest in the store are wanted; the answer is a dict of them by id."""

    ids: list[int]
    answered: Answered


Request: TypeAlias = Ask | Login | Fetch
