"""The heartbeat of the active server, on a topic that anybody may subscribe to."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Final

import msgspec

from rmimom.client.heartbeat import Beat
from rmimom.clock import Clock
from rmimom.cluster.role import Epoch
from rmimom.commands import CreateDestination, Send
from rmimom.core.state import SERVER
from rmimom.destination import Topic
from rmimom.engine import Engine
from rmimom.frame import NON_PERSISTENT, encode
from rmimom.message import Message

log = logging.getLogger(__name__)

HEARTBEAT: Final = Topic("rmimom.heartbeat")
"""Where it is published: each beat is a `rmimom.client.heartbeat.Beat`, whose name is the id of the server."""
BEATS_KEPT: Final = 10
"""A beat that has waited for so many intervals tells nothing any more."""


class Heart:
    """Publishes a beat every `interval` seconds, until it is stopped.

    Beats go ahead of what waits for disks and standbys: they say that the server lives, not that its disk is quick.
    They also say where its HTTP interface is, for standbys to pass on.
    """

    def __init__(self, engine: Engine, clock: Clock, epoch: Epoch, interval: float, http: str = "") -> None:
        self._engine = engine
        self._clock = clock
        self._epoch = epoch
        self._interval = interval
        self._extra: dict[str, object] = {"epoch": epoch.number, "http": http}
        self._run_id = secrets.token_hex(8)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Beat no more.  Twice is harmless."""
        self._task.cancel()

    async def _run(self) -> None:
        await self._engine.submit(CreateDestination(SERVER, HEARTBEAT))
        loop = asyncio.get_running_loop()
        sequence = 0
        while True:
            sequence += 1
            self._engine.tell_at_once(Send(SERVER, "", 0, HEARTBEAT, [self._frame(sequence)]))
            due = loop.time() + self._interval
            await asyncio.sleep(due - loop.time())

    def _frame(self, sequence: int) -> bytes:
        beat = Beat(self._epoch.server_id, self._run_id, sequence, self._interval, self._extra)
        message = Message(msgspec.to_builtins(beat))
        message.delivery_mode = NON_PERSISTENT
        message.priority = 9
        message.time_to_live = max(1.0, BEATS_KEPT * self._interval)
        message_id = f"ID:heartbeat-{self._run_id}-{sequence}"
        return encode(message.to_frame(HEARTBEAT, message_id=message_id, now=self._clock.now()))
