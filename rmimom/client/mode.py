"""How a session acknowledges what it delivers (Jakarta Messaging 3.1 §6.2.10)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class AcknowledgeMode(IntEnum):
    """The modes of a session, with the numbers of JMS; INDIVIDUAL_ACKNOWLEDGE is an extension of many providers."""

    SESSION_TRANSACTED = 0
    AUTO_ACKNOWLEDGE = 1
    CLIENT_ACKNOWLEDGE = 2
    DUPS_OK_ACKNOWLEDGE = 3
    INDIVIDUAL_ACKNOWLEDGE = 4


SESSION_TRANSACTED: Final = AcknowledgeMode.SESSION_TRANSACTED
"""`Session.commit` acknowledges what the session delivered since the last commit or rollback."""
AUTO_ACKNOWLEDGE: Final = AcknowledgeMode.AUTO_ACKNOWLEDGE
"""The session acknowledges each message when `receive` has returned it or the observers have returned."""
CLIENT_ACKNOWLEDGE: Final = AcknowledgeMode.CLIENT_ACKNOWLEDGE
"""`Message.acknowledge` acknowledges all that the session delivered so far."""
DUPS_OK_ACKNOWLEDGE: Final = AcknowledgeMode.DUPS_OK_ACKNOWLEDGE
"""Like AUTO_ACKNOWLEDGE but later and fewer calls at a time; after a crash more messages come twice."""
INDIVIDUAL_ACKNOWLEDGE: Final = AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE
"""`Message.acknowledge` acknowledges that one message."""


def mode_of(mode: AcknowledgeMode, *, transacted: bool) -> AcknowledgeMode:
    """The mode that the two arguments of `create_session` mean; raises ValueError if `mode` is none."""
    return SESSION_TRANSACTED if transacted else AcknowledgeMode(mode)
