"""Pull delivery: a thread that asks the server for messages, for clients that cannot be called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from rmimom.client.transport import Channel
from rmimom.errors import JMSError

LONGEST_POLL: Final = 20.0
"""Seconds that the server may keep a question open when it has nothing to deliver."""


class Puller:
    """Fetches batches over a TCP connection of its own until stopped or the server is lost.

    `deliver` takes a batch and returns the number of the last batch taken; `on_lost` is called in this thread.
    Raises ConnectionFailedError if the connection object cannot be reached.
    """

    def __init__(self, uri: str, deliver: Callable[[memoryview], int], on_lost: Callable[[JMSError], None]) -> None:
        self._deliver = deliver
        self._on_lost = on_lost
        self._stopped = False
        self._channel = Channel(uri)
        threading.Thread(target=self._run, name="rmimom-pull", daemon=True).start()

    def stop(self) -> None:
        """Close the connection; the thread ends soon after."""
        self._stopped = True
        self._channel.close()

    def _run(self) -> None:
        taken = 0
        while not self._stopped:
            try:
                batch = self._channel.fetch(LONGEST_POLL, taken)
                if batch is not None:
                    taken = self._deliver(batch)
            except JMSError as error:
                self._channel.close()
                if not self._stopped:
                    self._on_lost(error)
                return
