"""A client that speaks STOMP as applications do: stomp.py, a list of hosts, receipts, and another try after a loss.

A SEND that was not confirmed is not repeated, for STOMP has nothing to recognise it by: it is stored once or not at
all, and nobody knows which.  What one connection sent may still arrive after another one was opened, so each connection
is a producer of its own.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rmimom_chaos.client import Delivery, Options, RefusedError, Source, UnknownError, Wait
from rmimom_chaos.notes import note_of
from rmimom_chaos.recorder import now
from rmimom_chaos.scene import MOMENT, PATIENCE, Scene
from rmimom_chaos.stomp_life import Life

MANY = 2
"""The count of a message that is flagged as redelivered: STOMP does not tell how often it was delivered."""


class StompDelivery:
    """See `rmimom_chaos.client.Delivery`."""

    def __init__(self, life: Life, consumer: str, came: int, epoch: int, frame: Any) -> None:
        headers = frame.headers
        self.life = life
        self.key: str = headers["ack"]
        self.value: str = frame.body
        self.consumer = consumer
        again = headers.get("redelivered") == "true"
        self.facts: dict[str, Any] = {
            "count": MANY if again else 1,
            "counted": not again,
            "tag": int(self.key.rpartition("-")[2]),
            "released": came,
            "epoch": epoch,
            **note_of(headers),
        }

    def acknowledge(self) -> None:
        """ACK, confirmed by its RECEIPT."""
        connection = self.life.connection
        self._settle(lambda receipt: connection.ack(self.key, receipt=receipt))

    def fail(self, reason: str) -> None:
        """NACK, with the wish that the policy of the destination decides; it has no room for a reason."""
        del reason
        connection = self.life.connection
        self._settle(lambda receipt: connection.nack(self.key, receipt=receipt, requeue="true"))

    def _settle(self, act: Callable[[str], object]) -> None:
        try:
            self.life.ask(act)()
        except (RefusedError, UnknownError):
            # The server may think that we hold it still, or that we do not: losing the connection makes that clear.
            self.life.drop()
            raise


class StompClient:
    """See `rmimom_chaos.client.Client`.

    `name` is that of the incarnation, `role` the client id of who has a durable subscription; `tell` is told
    what happens to the connection.
    """

    def __init__(self, scene: Scene, name: str, role: str, tell: Callable[[str], None], *, transacted: bool) -> None:
        self._scene = scene
        self._name = name
        self._role = role
        self._tell = tell
        self._transacted = transacted
        self._hosts = list(scene.door.stomp)
        self._source: Source | None = None
        self._life: Life
        self._lives = self._transactions = 0
        self._closing = False
        self._taken: list[StompDelivery] = []
        self._transaction = ""
        self._steps: list[Wait] = []

    def open(self, source: Source | None) -> None:
        """CONNECT, and SUBSCRIBE."""
        self._source = source
        self._live()

    def close(self) -> None:
        """DISCONNECT."""
        self._closing = True
        self._life.end()

    def ready(self) -> None:
        """Connect again if the connection is lost."""
        if self._life.lost.is_set():
            self._live()
            self._tell("restored")

    def _live(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._begin():
            # The next one first: one that accepts connections and says nothing would keep us for ever.
            self._hosts.append(self._hosts.pop(0))
            if time.monotonic() > deadline:
                raise ConnectionError(f"no STOMP server of {self._hosts} has let {self._name} in for {PATIENCE:g} s")
            self._scene.all_is_over.wait(MOMENT)

    def _begin(self) -> bool:
        life = Life(self._hosts, self._hear_loss)
        door, source = self._scene.door, self._source
        if not life.begin(door.user, door.password, {"client-id": self._role} if source and source.durable else {}):
            return False
        if source is not None:
            try:
                life.ask(lambda receipt: _subscribe(life, source, receipt))()
            except (RefusedError, UnknownError):
                life.drop()
                return False
        self._life = life
        self._lives += 1
        return True

    def _hear_loss(self) -> None:
        if not self._closing:
            self._tell("lost")

    @property
    def producer(self) -> str:
        """Another one with each connection."""
        return f"{self._name}/{self._lives}"

    @property
    def reign(self) -> tuple[str, int]:
        """As CONNECTED says."""
        welcome = self._life.welcome
        return welcome["x-rmimom-server-id"], int(welcome["x-rmimom-epoch"])

    def receive(self, limit: float) -> Delivery | None:
        """The next message of this connection; what came by one that is lost comes again."""
        self.ready()
        try:
            came, frame = self._life.messages.get(timeout=limit) if limit else self._life.messages.get_nowait()
        except queue.Empty:
            return None
        return StompDelivery(self._life, self.producer, came, self.reign[1], frame)

    def send(self, destination: str, messages: Sequence[tuple[str, Options]]) -> list[Wait]:
        """SENDs one after the other, each with a receipt."""
        waits = [self._send(written(destination), value, options) for value, options in messages]
        if not self._transacted:
            return waits
        self._steps += waits
        return []

    def _send(self, destination: str, value: str, options: Options) -> Wait:
        send, headers = self._life.connection.send, send_headers(options)
        if self._transaction:
            headers["transaction"] = self._transaction
        return self._life.ask(lambda receipt: send(destination, value, headers=headers, receipt=receipt))

    def begin(self, taken: Sequence[Delivery]) -> None:
        """BEGIN, and an ACK for each."""
        life, connection = self._life, self._life.connection
        self._taken = [one for one in taken if isinstance(one, StompDelivery) and one.life is life]
        if len(self._taken) < len(taken):
            raise RefusedError("some of it came by a connection that is lost")
        self._transactions += 1
        self._transaction = name = f"{self.producer}:{self._transactions}"
        self._steps = [life.ask(lambda receipt: connection.begin(name, receipt=receipt))]
        self._steps += [life.ask(partial(_acknowledge, one, name)) for one in self._taken]

    def commit(self) -> None:
        """COMMIT, once all its steps are accepted: its RECEIPT confirms them."""
        connection, name = self._life.connection, self._transaction
        for step in self._steps:
            try:
                step()
            except UnknownError as error:
                raise RefusedError("the connection was lost before COMMIT") from error
        self._life.ask(lambda receipt: connection.commit(name, receipt=receipt))()
        self._transaction, self._taken = "", []

    def rollback(self) -> None:
        """ABORT, and a NACK for what we hold then; if that fails lose the connection, which does the same."""
        life, connection, name = self._life, self._life.connection, self._transaction
        self._transaction = ""
        try:
            if name:
                life.ask(lambda receipt: connection.abort(name, receipt=receipt))()
            for one in self._taken:
                one.fail("rolled back")
        except (RefusedError, UnknownError):
            life.drop()


def _subscribe(life: Life, source: Source, receipt: str) -> None:
    headers = {"activemq.prefetchSize": str(source.prefetch)}
    if source.durable:
        headers["activemq.subscriptionName"] = source.durable
    if source.selector:
        headers["selector"] = source.selector
    life.connection.subscribe(written(source.destination), "1", "client-individual", headers, receipt=receipt)


def _acknowledge(delivery: StompDelivery, transaction: str, receipt: str) -> None:
    delivery.life.connection.ack(delivery.key, transaction=transaction, receipt=receipt)


def written(destination: str) -> str:
    """A destination as STOMP clients write it."""
    kind, _, short = destination.partition("://")
    return f"/{kind}/{short}"


def send_headers(options: Options) -> dict[str, str]:
    """The options of a message as headers of SEND, as ActiveMQ has them."""
    headers = {"persistent": "true"}
    if "priority" in options:
        headers["priority"] = str(options["priority"])
    if "delivery_delay" in options:
        headers["AMQ_SCHEDULED_DELAY"] = str(round(options["delivery_delay"] * 1000))
    if "time_to_live" in options:
        headers["expires"] = str(now() + round(options["time_to_live"] * 1000))
    properties: dict[str, str] = options.get("properties", {})
    return headers | properties
