"""The trail: what the latest batches of the log did, for whoever asks what became of a message.

Nothing is written for it: it keeps what was decided a little longer than the commit needs it, without the messages
themselves.  Only persistent messages are in it, for only they are in the log.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from msgspec.structs import replace

from rmimom.records import Batch, MessagesStored, Record

MOST_NUMBERS: Final = 30_000
"""Numbers of messages in what is kept, some 100 bytes for each that was stored; a message has three in its life."""


class Moment(NamedTuple):
    """A batch without messages that was on the disk at `at`, milliseconds since 1970 UTC.

    `message_ids` has the JMSMessageID of each that was stored, in order; `numbers` tells the size of it all.
    """

    at: int
    batch: Batch
    message_ids: list[str]
    numbers: int


class Trail:
    """The latest batches since this server became active, the oldest first; `most` limits the numbers in them."""

    def __init__(self, most: int = MOST_NUMBERS) -> None:
        self._most = most
        self._moments: deque[Moment] = deque()
        self._numbers = 0

    def add(self, batch: Batch, at: int) -> None:
        """Remember what is on the disk now."""
        numbers = 0
        message_ids: list[str] = []
        records: list[Record] = []
        for record in batch.records:
            numbers += 1 + len(getattr(record, "ids", ()))
            if isinstance(record, MessagesStored):
                message_ids += [head.message_id for head in record.heads]
                records.append(replace(record, heads=[], frames=[]))
            else:
                records.append(record)
        self._moments.append(Moment(at, replace(batch, records=records), message_ids, numbers))
        self._numbers += numbers
        while self._numbers > self._most and len(self._moments) > 1:
            self._numbers -= self._moments.popleft().numbers

    def kept(self) -> list[Moment]:
        """What is kept by now."""
        return list(self._moments)
