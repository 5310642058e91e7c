"""A small stand-in for the server, to test the client against: the protocol of docs/design/0003 over dicts and lists.

It runs in a stock Pyro5 daemon, so the client is tested with Pyro5's own server side.  The state outlives the server
object, so that a server can be stopped and started again; faults are planted by name.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import msgspec
from Pyro5.callcontext import current_context
from Pyro5.client import Proxy
from Pyro5.errors import PyroError
from Pyro5.server import Daemon, expose

from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidClientIDError,
    InvalidDestinationError,
    JMSError,
    JMSSecurityError,
    TransactionRolledBackError,
)
from rmimom.frame import (
    ANNOTATION,
    CommitRequest,
    ConsumerEnd,
    Delivered,
    DeliveryBatch,
    Response,
    decode_commit,
    decode_head,
    decode_request,
    encode,
)
from rmimom.rmi.exceptions import register_errors

BATCH = 500


class Entry:
    def __init__(self, tag: int, frame: bytes) -> None:
        self.tag = tag
        self.frame = frame
        self.count = 0


class FakeConsumer:
    def __init__(self, connection: FakeConnection, number: int, box: deque[Entry], prefetch: int) -> None:
        self.connection = connection
        self.number = number
        self.box = box
        self.prefetch = prefetch
        self.held: dict[int, Entry] = {}


class FakeBroker:
    """What survives: messages, producers, durable subscriptions."""

    def __init__(self) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.tags = itertools.count(1)
        self.boxes: dict[str, deque[Entry]] = defaultdict(deque)
        self.topics: dict[str, set[str]] = defaultdict(set)
        self.producers: dict[str, int] = {}
        self.stored: list[bytes] = []
        self.acknowledged: list[int] = []
        self.consumers: list[FakeConsumer] = []
        self.refuse: dict[str, JMSError] = {}
        self.commits: list[CommitRequest] = []
        self.maximum = 6
        self.released: list[tuple[list[int], dict[str, Any]]] = []
        self.dead: list[int] = []

    def send(self, producer: str, sequence: int, destination: str, frames: list[bytes]) -> None:
        if destination in self.refuse:
            raise self.refuse[destination]
        known = self.producers.get(producer, 0)
        for number, frame in enumerate(frames, sequence):
            if number <= known:
                continue
            assert decode_head(frame).destination == destination
            self.stored.append(frame)
            boxes = [destination] if "queue://" in destination else sorted(self.topics[destination])
            tag = next(self.tags)
            for box in boxes:
                self.boxes[box].append(Entry(tag, frame))
        self.producers[producer] = max(known, sequence + len(frames) - 1)

    def commit(self, connection: FakeConnection, request: CommitRequest) -> None:
        if request.number <= self.producers.get(request.transaction, 0):
            return
        for destination, _ in request.sends:
            if destination in self.refuse:
                raise self.refuse[destination]
        consumers = {found.number: found for found in self.consumers if found.connection is connection}
        for acks in request.acks:
            if acks.consumer not in consumers or set(acks.tags) - consumers[acks.consumer].held.keys():
                raise TransactionRolledBackError("the transaction was rolled back: others have its messages")
        for acks in request.acks:
            self.acknowledge(consumers[acks.consumer], acks.tags)
        for destination, frames in request.sends:
            self.send("", 1, destination, [bytes(frame) for frame in frames])
            del self.producers[""]
        self.producers[request.transaction] = request.number

    def acknowledge(self, consumer: FakeConsumer, tags: list[int]) -> None:
        for tag in tags:
            if consumer.held.pop(tag, None) is not None:
                self.acknowledged.append(tag)

    def give_back(self, consumer: FakeConsumer, tags: list[int] | None = None) -> None:
        chosen = list(consumer.held) if tags is None else tags
        for tag in reversed([tag for tag in chosen if tag in consumer.held]):
            consumer.box.appendleft(consumer.held.pop(tag))

    def close(self, connection: FakeConnection) -> None:
        for consumer in [found for found in self.consumers if found.connection is connection]:
            self.give_back(consumer)
            self.consumers.remove(consumer)

    def deliver(self) -> None:
        """Hand out what there is room for; consumers of one box take turns."""
        progress = True
        while progress:
            progress = False
            for consumer in self.consumers:
                if consumer.box and len(consumer.held) < consumer.prefetch:
                    entry = consumer.box.popleft()
                    entry.count += 1
                    consumer.held[entry.tag] = entry
                    consumer.connection.outgoing.append(
                        Delivered(entry.tag, [consumer.number], [entry.count], msgspec.Raw(entry.frame))
                    )
                    progress = True
        self.lock.notify_all()


class FakeConnection:
    def __init__(self, server: FakeServer, client_id: str, owner: str) -> None:
        self.server = server
        self.broker = server.broker
        self.client_id = client_id
        self.owner = owner
        self.outgoing: deque[Delivered] = deque()
        self.ended: list[ConsumerEnd] = []
        self.sequence = 0
        self.last: DeliveryBatch | None = None
        self.closed = False
        self.temporaries: set[str] = set()
        self.sockets: set[Any] = set()
        self.unnoticed = False  # does not end with its last TCP connection

    def _enter(self, method: str) -> None:
        self.server.calls[method] += 1
        self.sockets.add(current_context.client)
        if self.closed:
            raise IllegalStateError("this connection is closed; create another one", connection="closed")

    def _next_batch(self) -> DeliveryBatch:
        self.sequence += 1
        messages = [self.outgoing.popleft() for _ in range(min(BATCH, len(self.outgoing)))]
        self.last = DeliveryBatch(self.sequence, messages, self.ended)
        self.ended = []
        return self.last

    @expose
    def exchange(self) -> None:
        with self.broker.lock:
            self._enter("exchange")
            request = decode_request(bytes(current_context.annotations[ANNOTATION]))
            outcomes: list[dict[str, object] | None] = []
            for batch in request.sends:
                try:
                    frames = [bytes(frame) for frame in batch.frames]
                    self.broker.send(batch.producer, batch.sequence, batch.destination, frames)
                    outcomes.append(None)
                except JMSError as error:
                    outcomes.append(error.to_dict())
            for acks in request.acks:
                for consumer in self.broker.consumers:
                    if consumer.connection is self and consumer.number == acks.consumer:
                        self.broker.acknowledge(consumer, acks.tags)
                outcomes.append(None)
            self.server.exchanges.append(request)
            self.broker.deliver()
        self.server.fail_if_planned("exchange", self)
        current_context.response_annotations = {ANNOTATION: encode(Response(outcomes))}

    @expose
    def commit(self) -> None:
        with self.broker.lock:
            self._enter("commit")
            request = decode_commit(bytes(current_context.annotations[ANNOTATION]))
            self.broker.commits.append(request)
            self.server.fail_if_planned("commit, not done", self)
            if not self.closed:
                self.broker.commit(self, request)
                self.broker.deliver()
        self.server.fail_if_planned("commit", self)

    @expose
    def subscribe(self, consumer: int, destination: str, options: dict[str, Any]) -> list[int]:
        with self.broker.lock:
            self._enter("subscribe")
            broker = self.broker
            if destination in broker.refuse:
                raise broker.refuse[destination]
            if destination.startswith("temp-") and destination not in self.temporaries:
                raise InvalidDestinationError(f"{destination} is gone")
            box = destination
            if destination.startswith("topic://"):
                box = f"{destination}?{self.owner}/{options.get('durable') or secrets.token_hex(4)}"
                broker.topics[destination].add(box)
            entries = broker.boxes[box]
            if options.get("durable") and any(found.box is entries for found in broker.consumers):
                raise IllegalStateError("the durable subscription has a consumer already")
            made = FakeConsumer(self, consumer, entries, options.get("prefetch", 1000))
            settled = set(options.get("settled", ()))
            held = list(options.get("held", ()))
            broker.acknowledged += [entry.tag for entry in entries if entry.tag in settled]
            mine = {entry.tag: entry for entry in entries if entry.tag in held}
            kept = [entry for entry in entries if entry.tag not in settled and entry.tag not in mine]
            entries.clear()
            entries.extend(kept)
            made.held = {tag: mine[tag] for tag in held if tag in mine}
            broker.consumers.append(made)
            self.server.resumed.append((settled, held))
            broker.deliver()
            lost = [tag for tag in held if tag not in mine]
        self.server.fail_if_planned("subscribe", self)
        return lost

    @expose
    def close_consumer(self, consumer: int, keep: Sequence[int] = ()) -> None:
        with self.broker.lock:
            self._enter("close_consumer")
            for found in list(self.broker.consumers):
                if found.connection is self and found.number == consumer:
                    self.broker.give_back(found, [tag for tag in found.held if tag not in keep])
                    found.prefetch = 0
                    if not found.held:
                        self.broker.consumers.remove(found)
            self.broker.deliver()
        self.server.fail_if_planned("close_consumer", self)

    @expose
    def release(self, consumer: int, tags: list[int], options: dict[str, Any] | None = None) -> list[int] | None:
        options = options or {}
        gone: list[int] = []
        with self.broker.lock:
            self._enter("release")
            self.broker.released.append((list(tags), options))
            for found in self.broker.consumers:
                if found.connection is self and found.number == consumer:
                    for tag in [tag for tag in tags if tag in found.held]:
                        entry = found.held[tag]
                        if options.get("dead") or entry.count > self.broker.maximum:
                            self.broker.dead.append(found.held.pop(tag).tag)
                            gone.append(tag)
                        elif options.get("keep") and not options.get("delay"):
                            entry.count += 1
                        else:
                            self.broker.give_back(found, [tag])
                            gone.append(tag)
            self.broker.deliver()
        self.server.fail_if_planned("release", self)
        return gone if options.get("keep") else None

    @expose
    def unsubscribe(self, name: str) -> None:
        with self.broker.lock:
            self._enter("unsubscribe")
            for topic, boxes in self.broker.topics.items():
                box = f"{topic}?{self.owner}/{name}"
                if box in boxes:
                    boxes.remove(box)
                    self.broker.boxes.pop(box, None)
                    break
            else:
                raise InvalidDestinationError(f"no durable subscription named {name!r}")
        self.server.fail_if_planned("unsubscribe", self)

    @expose
    def create_temporary(self, destination: str) -> None:
        self._enter("create_temporary")
        self.temporaries.add(destination)
        self.server.fail_if_planned("create_temporary", self)

    @expose
    def delete_temporary(self, destination: str) -> None:
        self._enter("delete_temporary")
        self.temporaries.discard(destination)
        self.server.fail_if_planned("delete_temporary", self)

    @expose
    def deliver_to(self, uri: str) -> bool:
        self._enter("deliver_to")
        if self.server.no_callbacks:
            raise ConnectionFailedError("the object cannot be called")
        with Proxy(uri) as proxy:
            proxy.get_client_id()
        threading.Thread(target=self._push, args=(uri,), daemon=True).start()
        return True

    def _push(self, uri: str) -> None:
        try:
            self._push_batches(uri)
        except PyroError:
            self.server.end(self)  # the object cannot be called

    def _push_batches(self, uri: str) -> None:
        with Proxy(uri) as proxy:
            while not self.closed:
                with self.broker.lock:
                    self.broker.lock.wait_for(lambda: self.outgoing or self.ended or self.closed, 1)
                    if self.closed or not (self.outgoing or self.ended):
                        continue
                    batch = self._next_batch()
                current_context.annotations = {ANNOTATION: encode(batch)}
                for _ in range(self.server.repeat_batches):
                    if proxy.new_messages(batch.sequence) < batch.sequence:
                        return

    @expose
    def fetch(self, wait: float, after: int) -> None:
        with self.broker.lock:
            self._enter("fetch")
            if self.last is None or self.last.sequence <= after:
                ready = self.broker.lock.wait_for(lambda: self.outgoing or self.ended or self.closed, wait)
                if not ready or self.closed:
                    return
                self._next_batch()
            current_context.response_annotations = {ANNOTATION: encode(self.last)}
        self.server.fail_if_planned("fetch", self)

    @expose
    def ping(self) -> int:
        self._enter("ping")
        return int(time.time() * 1000)

    @expose
    def close(self) -> None:
        with self.broker.lock:
            self._enter("close")
            self.server.end(self)


class FakeFactory:
    def __init__(self, server: FakeServer) -> None:
        self.server = server

    @expose
    def create_connection(self, user: str, password: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        self.server.calls["create_connection"] += 1
        if password != self.server.passwords.get(user, password):
            raise JMSSecurityError(f"user {user!r} is unknown, or the password is wrong")
        client_id = (options or {}).get("client_id", "")
        self.server.replaced.append((options or {}).get("replaces", ""))
        if client_id and any(found.client_id == client_id for found in self.server.connections):
            raise InvalidClientIDError(f"the client id {client_id!r} is in use")
        connection = FakeConnection(self.server, client_id, client_id or user)
        self.server.connections.append(connection)
        uri = self.server.daemon.register(connection, f"rmimom.connection.{secrets.token_hex(16)}")
        return {
            "connection": str(uri),
            "server": "fake/1",
            "server_time": int(time.time() * 1000) + self.server.clock_ahead,
            "server_id": "fake",
            "epoch": self.server.epoch,
            "max_message_size": 1_000_000,
            "heartbeat": self.server.heartbeat,
        }


def hang_up(conn: Any) -> None:
    """End a connection of a daemon; its worker thread, which waits for it, closes it."""
    with contextlib.suppress(OSError):
        conn.sock.shutdown(socket.SHUT_RDWR)


class FakeServer:
    """One run of the server over a broker that may have served before; listens from the beginning."""

    def __init__(self, broker: FakeBroker | None = None, port: int = 0) -> None:
        register_errors()
        self.broker = broker or FakeBroker()
        self.connections: list[FakeConnection] = []
        self.calls: dict[str, int] = defaultdict(int)
        self.exchanges: list[Any] = []
        self.replaced: list[str] = []
        self.resumed: list[tuple[set[int], list[int]]] = []
        self.passwords: dict[str, str] = {}
        self.no_callbacks = False
        self.repeat_batches = 1
        self.heartbeat = 30.0
        self.clock_ahead = 0
        self.epoch = 1
        self.faults: dict[str, int] = {}
        self._sockets: set[Any] = set()
        server = self

        class TrackingDaemon(Daemon):
            def _handshake(self, conn: Any, denied_reason: Any = None) -> bool:
                server._sockets.add(conn)
                return super()._handshake(conn, denied_reason)

            def clientDisconnect(self, conn: Any) -> None:  # noqa: N802
                server._sockets.discard(conn)
                for connection in list(server.connections):
                    if conn in connection.sockets:
                        connection.sockets.discard(conn)
                        if not connection.sockets and not connection.unnoticed:
                            server.end(connection)

        self.daemon = TrackingDaemon(host="127.0.0.1", port=port)
        self.port = int(self.daemon.locationStr.rpartition(":")[2])
        self.uri = str(self.daemon.register(FakeFactory(self), "rmimom.ConnectionFactory"))
        self._thread = threading.Thread(target=self.daemon.requestLoop, daemon=True)
        self._thread.start()

    def plan_lost_reply(self, method: str, times: int = 1) -> None:
        """Do the work of the next calls of this method, and cut the connection instead of answering."""
        self.faults[method] = times

    def fail_if_planned(self, method: str, connection: FakeConnection) -> None:
        if self.faults.get(method, 0) > 0:
            self.faults[method] -= 1
            self.end(connection)
            hang_up(current_context.client)

    def end(self, connection: FakeConnection) -> None:
        """End a connection: what it held goes back."""
        with self.broker.lock:
            connection.closed = True
            if connection in self.connections:
                self.connections.remove(connection)
            self.broker.close(connection)
            self.broker.deliver()

    def cut(self) -> None:
        """Cut every TCP connection, and forget the connections that lived on them."""
        with self.broker.lock:
            for connection in self.connections:
                connection.closed = True
                self.broker.close(connection)
            self.connections.clear()
            self.broker.lock.notify_all()
        for conn in list(self._sockets):
            hang_up(conn)

    def stop(self) -> None:
        """End like a killed process: no goodbye."""
        server = self.daemon.transportServer
        if server is None:
            return
        server.shutting_down = True
        server.wakeup()
        self._thread.join(60)
        server.sock.close()
        self.cut()
        self.daemon.close()
