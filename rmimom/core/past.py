"""What a message has behind it in one mailbox."""

from __future__ import annotations

import msgspec


class Past(msgspec.Struct, gc=False):
    """Kept only for messages that came back, or came from another mailbox.

    `returns` is how often the message came back unacknowledged, `failures` how often because its consumer failed on
    it; after the last failure it is not to be delivered before `due` (milliseconds since 1970 UTC, 0: at once).
    `note` is JSON text about its way here (`rmimom.core.burying`), empty for a message that was sent here.
    """

    returns: int = 0
    failures: int = 0
    note: str = ""
    due: int = 0
