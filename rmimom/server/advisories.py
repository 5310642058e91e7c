"""Advisories: incidents as messages on topics of the server's own, which any client may subscribe to.

    rmimom.advisory.connection   clients that were cut off, and connections that were refused
    rmimom.advisory.disk         the disk is full, and has room again

They are not persistent, and tell themselves before all that waits for disks and standbys, so that a full disk can be
told of.  A flood of refusals is told of once in a while, with their number.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from rmimom.clock import Clock
from rmimom.commands import CreateDestination, Send
from rmimom.core.state import SERVER
from rmimom.destination import Topic
from rmimom.dispatch import public_id
from rmimom.engine import Engine
from rmimom.frame import NON_PERSISTENT, encode
from rmimom.incidents import REFUSED, Incident
from rmimom.message import Message

CONNECTION: Final = Topic("rmimom.advisory.connection")
DISK: Final = Topic("rmimom.advisory.disk")
PAUSE: Final = 1.0
"""Seconds from one advisory of refusals to the next."""
KEPT: Final = 24 * 3600.0
"""Seconds after which an advisory expires, should a durable subscription be away for long."""


class Advisories:
    """Publishes the incidents that an engine and its listeners report, until it is stopped."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._run_id = secrets.token_hex(8)
        self._published = 0
        self._refusals = 0
        self._pause: asyncio.TimerHandle | None = None
        self._stopped = False
        for topic in (CONNECTION, DISK):
            engine.tell(CreateDestination(SERVER, topic))
        engine.incidents.watch(self._report)

    def stop(self) -> None:
        """Publish no more.  Twice is harmless."""
        self._stopped = True
        # The listener goes on without us, and would keep the engine and all that it holds.
        self._engine.incidents.leave(self._report)
        if self._pause is not None:
            self._pause.cancel()

    def _report(self, incident: Incident) -> None:
        if self._stopped:
            return
        if incident.kind != REFUSED:
            self._publish(incident, 1)
            return
        self._refusals += 1
        if self._pause is None:
            self._tell_of_refusals(incident)

    def _tell_of_refusals(self, incident: Incident) -> None:
        self._pause = None
        if self._refusals:
            count, self._refusals = self._refusals, 0
            self._publish(incident, count)
            self._pause = self._loop.call_later(PAUSE, self._tell_of_refusals, incident)

    def _publish(self, incident: Incident, count: int) -> None:
        properties: dict[str, str | int] = {"kind": incident.kind, "reason": incident.reason}
        topic = CONNECTION if incident.protocol else DISK
        if topic is CONNECTION:
            client = self._engine.broker.state.clients.get(incident.connection)
            properties |= {
                "protocol": incident.protocol,
                "address": incident.address,
                "connection": public_id(incident.connection) if client else "",
                "user": client.user if client else "",
                "client_id": client.client_id if client else "",
                "count": count,
            }
        self._published += 1
        message = Message(incident.reason, properties=properties)
        message.delivery_mode = NON_PERSISTENT
        message.time_to_live = KEPT
        message_id = f"ID:advisory-{self._run_id}-{self._published}"
        frame = encode(message.to_frame(topic, message_id=message_id, now=self._clock.now()))
        # In the next turn: who reports may be in the middle of something, also of being told.
        self._loop.call_soon(self._send, topic, frame)

    def _send(self, topic: Topic, frame: bytes) -> None:
        if not self._stopped:
            self._engine.tell_at_once(Send(SERVER, "", 0, topic, [frame]))
