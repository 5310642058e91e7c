"""The remote object of one client connection (protocol: docs/design/0003)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from rmimom.commands import (
    Acknowledge,
    Browse,
    CloseConsumer,
    Command,
    Commit,
    CreateDestination,
    CreateTemporary,
    DeleteDestination,
    DeleteSubscription,
    DeleteTemporary,
    Disconnect,
    Release,
    Send,
    Subscribe,
)
from rmimom.composite import parse_target
from rmimom.core.browsing import complete
from rmimom.destination import TEMPORARY, Destination, Temporary, parse_destination, parse_source
from rmimom.dispatch import ConnectionInfo
from rmimom.effects import Page
from rmimom.engine import Engine
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    MessageFormatError,
    StoreError,
)
from rmimom.frame import ANNOTATION, BrowsedPage, Request, Response, decode_commit, decode_request, encode
from rmimom.incidents import CUT_OFF, Incident
from rmimom.listeners.rmi.call import Call, current_call
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError
from rmimom.listeners.rmi.objects.outbound import Outbound
from rmimom.listeners.rmi.peer import Peer
from rmimom.rmi.exposure import expose

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds that one long poll may last; a client that wants more polls again."""


class ConnectionObject:
    """What a client's Connection calls; made by the ConnectionFactory, gone with the last TCP connection to it."""

    def __init__(
        self,
        engine: Engine,
        connection: str,
        *,
        user: str,
        address: str,
        since: int,
        callback_timeout: float,
        on_close: Callable[[ConnectionObject], None],
    ) -> None:
        self._engine = engine
        self._connection = connection
        self._user = user
        self._address = address
        self._callback_timeout = callback_timeout
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._targets: dict[str, Destination] = {}
        self._peers: set[Peer] = set()
        self._heard = self._loop.time()
        self._closed = False
        self._outbound = Outbound(self._wake)
        self._poll: tuple[Call, asyncio.Future[None], int, asyncio.TimerHandle] | None = None
        self._callback: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        engine.dispatch.attach(connection, self._outbound, ConnectionInfo("rmi", address, since, self.end))

    @property
    def silent_for(self) -> float:
        """Seconds since the client called last."""
        return self._loop.time() - self._heard if self._poll is None else 0.0

    @property
    def connection(self) -> str:
        """The name of the connection in the core, which is the secret part of the object's id."""
        return self._connection

    # The protocol.

    @expose
    def exchange(self) -> asyncio.Future[None]:
        """Send and acknowledge what the request annotation holds; answered when all of it is safe."""
        call = self._enter()
        data = call.annotations.get(ANNOTATION)
        if data is None:
            raise MessageFormatError(f"an exchange needs its batch in an annotation named {ANNOTATION}")
        request = decode_request(data)
        done: asyncio.Future[None] = self._loop.create_future()
        answers = [self._engine.submit(command) for command in self._commands(request)]
        remaining = len(answers)

        def answered(_: object) -> None:
            nonlocal remaining
            remaining -= 1
            if remaining <= 0 and not done.done():
                call.reply_annotations[ANNOTATION] = encode(Response([_outcome(answer) for answer in answers]))
                done.set_result(None)

        for answer in answers:
            answer.add_done_callback(answered)
        if not answers:
            answered(None)
        return done

    def _commands(self, request: Request) -> list[Command]:
        connection = self._connection
        commands: list[Command] = [
            Send(
                connection,
                batch.producer,
                batch.sequence,
                self._target(batch.destination),
                # Copies: a slice would keep the whole request in memory for as long as one message waits.
                [bytes(frame) for frame in batch.frames],
            )
            for batch in request.sends
        ]
        commands += [Acknowledge(connection, batch.consumer, batch.up_to, batch.tags) for batch in request.acks]
        return commands

    @expose
    def commit(self) -> asyncio.Future[object]:
        """Commit the transaction that the request annotation holds; answered when all of it is safe."""
        call = self._enter()
        data = call.annotations.get(ANNOTATION)
        if data is None:
            raise MessageFormatError(f"a commit needs its transaction in an annotation named {ANNOTATION}")
        request = decode_commit(data)
        return self._engine.submit(
            Commit(
                self._connection,
                request.transaction,
                request.number,
                [(self._target(name), [bytes(frame) for frame in frames]) for name, frames in request.sends],
                [(batch.consumer, batch.up_to, batch.tags) for batch in request.acks],
            )
        )

    @expose
    def subscribe(self, consumer: int, destination: str, options: Mapping[str, object]) -> asyncio.Future[object]:
        """Open a consumer; the answer lists the tags in `held` that others have now."""
        self._enter()
        return self._engine.submit(self._subscription(consumer, destination, options))

    def _subscription(self, consumer: int, destination: str, options: Mapping[str, object]) -> Subscribe:
        chosen = _chosen(options, _SUBSCRIBE_OPTIONS, "a consumer")
        source = parse_source(_text(destination))
        return Subscribe(self._connection, _number(consumer), source, **chosen)  # type: ignore[arg-type]  # checked against the table above

    @expose
    def close_consumer(self, consumer: int, keep: Sequence[int] = ()) -> asyncio.Future[object]:
        """Close a consumer; what it held goes back, but for what it is to keep until it is closed without that."""
        self._enter()
        return self._engine.submit(CloseConsumer(self._connection, _number(consumer), _tags("keep", keep)))

    @expose
    def release(
        self, consumer: int, tags: Sequence[int], options: Mapping[str, object] | None = None
    ) -> asyncio.Future[object]:
        """Say that the consumer failed on messages; with `keep` the answer lists those that it holds no more."""
        self._enter()
        chosen = _chosen(options or {}, _RELEASE_OPTIONS, "a release")
        return self._engine.submit(
            Release(self._connection, _number(consumer), _tags("tags", tags), **chosen)  # type: ignore[arg-type]  # checked against the table
        )

    @expose
    def unsubscribe(self, name: str) -> asyncio.Future[object]:
        """Delete a durable subscription of this client id."""
        self._enter()
        return self._engine.submit(DeleteSubscription(self._connection, str(name)))

    @expose
    async def browse(self, queue: str, selector: str, after: Sequence[int] | None, limit: int, within: str = "") -> int:
        """A page of what waits in a queue, in a frame.BrowsedPage as annotation; the answer is its length.

        With a pattern of queues `after` is a place in the queue `within`.
        """
        call = self._enter()
        place = None if after is None else _place(after)
        source = parse_source(_text(queue))
        command = Browse(self._connection, source, _text(selector), place, _number(limit), _text(within))
        page = await self._engine.submit(command)
        assert isinstance(page, Page)
        resting = [message.tag for message in page.messages if not len(message.frame)]
        frames: dict[int, bytes] = {}
        if resting:
            # After the answer, so whatever was decided before is in the store; what is gone by now is left out.
            frames = await self._engine.frames(resting)
        found = complete(page, selector, frames)
        call.reply_annotations[ANNOTATION] = encode(BrowsedPage(found, page.after, page.within))
        return len(found)

    @expose
    def create_destination(self, destination: str) -> asyncio.Future[object]:
        """Create a queue or topic; the answer is False if it was there."""
        self._enter()
        return self._engine.submit(CreateDestination(self._connection, parse_destination(_text(destination))))

    @expose
    def delete_destination(self, destination: str) -> asyncio.Future[object]:
        """Delete a queue or topic that nobody consumes from."""
        self._enter()
        return self._engine.submit(DeleteDestination(self._connection, parse_destination(_text(destination))))

    @expose
    def create_temporary(self, destination: str) -> asyncio.Future[object]:
        """Make a temporary queue or topic of this connection; harmless if it has it."""
        self._enter()
        return self._engine.submit(CreateTemporary(self._connection, _temporary(destination)))

    @expose
    def delete_temporary(self, destination: str) -> asyncio.Future[object]:
        """Delete a temporary queue or topic of this connection that has no consumers; harmless if it is gone."""
        self._enter()
        return self._engine.submit(DeleteTemporary(self._connection, _temporary(destination)))

    @expose
    def fetch(self, wait: float, after: int) -> asyncio.Future[None] | None:
        """Pull delivery: answered with the next batch after number `after`, or with none after `wait` seconds."""
        call = self._enter()
        if self._callback is not None:
            raise IllegalStateError("this connection has callback delivery; it cannot fetch as well")
        self._end_poll()
        if self._outbound.has_more(after):
            call.reply_annotations[ANNOTATION] = self._outbound.batch_after(after)[1]
            return None
        done: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_later(max(0.0, min(float(wait), LONGEST_WAIT)), self._end_poll)
        self._poll = (call, done, after, timer)
        return done

    @expose
    async def deliver_to(self, uri: str) -> bool:
        """Callback delivery: from now on batches are pushed to the IClientRMI object at `uri`.

        Raises ConnectionFailedError if the object cannot be called from here.
        """
        self._enter()
        if self._callback is not None:
            raise IllegalStateError("this connection has callback delivery already")
        peer = await self._connect_callback(uri)
        if self._closed:
            peer.close()
            raise IllegalStateError("the connection was closed meanwhile")
        self._callback = self._loop.create_task(self._push(uri, peer))
        return True

    @expose
    def ping(self) -> int:
        """Keep the connection alive; the answer is the server's time in milliseconds since 1970 UTC."""
        self._enter()
        return time.time_ns() // 1_000_000

    @expose
    async def close(self) -> None:
        """End the connection in an orderly way."""
        self._enter()
        await self._finish("closed by the client", orderly=True)

    # Its life.

    def _enter(self) -> Call:
        """Note that the client is alive, and by which TCP connection."""
        if self._closed:
            raise IllegalStateError("this connection is closed; create another one", connection="closed")
        call = current_call()
        self._heard = self._loop.time()
        if call.peer not in self._peers:
            self._peers.add(call.peer)
            peer = call.peer
            peer.on_close(lambda: self._peer_closed(peer))
        return call

    def _peer_closed(self, peer: Peer) -> None:
        self._peers.discard(peer)
        if not self._peers and not self._closed:
            self._finish("the client's last TCP connection is gone")

    async def end(self, reason: str) -> None:
        """Close the connection: its consumers close, and what they held goes back."""
        if not self._closed:
            await self._finish(reason)

    def _finish(self, reason: str, *, orderly: bool = False) -> asyncio.Future[object]:
        self._closed = True
        log.info("connection of %r ends: %s", self._user, reason)
        self._engine.dispatch.detach(self._connection)
        self._end_poll()
        if self._callback is not None:
            self._callback.cancel()
        self._on_close(self)
        return self._engine.submit(Disconnect(self._connection, orderly))

    # Delivery.

    def _wake(self) -> None:
        if self._poll is not None:
            call, done, after, timer = self._poll
            self._poll = None
            timer.cancel()
            self._heard = self._loop.time()
            if not done.done():
                call.reply_annotations[ANNOTATION] = self._outbound.batch_after(after)[1]
                done.set_result(None)
        else:
            self._news.set()

    def _end_poll(self) -> None:
        if self._poll is not None:
            _, done, _, timer = self._poll
            self._poll = None
            self._heard = self._loop.time()
            timer.cancel()
            if not done.done():
                done.set_result(None)

    async def _connect_callback(self, uri: str) -> CallbackPeer:
        peer = await CallbackPeer.connect(uri, timeout=self._callback_timeout)
        try:
            if "new_messages" not in peer.methods:
                raise IllegalStateError(f"the object at {uri} has no method new_messages, so it cannot take batches")
            await peer.call("get_client_id", (), {}, timeout=self._callback_timeout)
        except BaseException:
            peer.close()
            raise
        return peer

    async def _push(self, uri: str, peer: CallbackPeer) -> None:
        """Push batches, one at a time, for as long as the connection lives."""
        taken = 0
        try:
            while True:
                while not self._outbound.has_more(taken):
                    self._news.clear()
                    await self._news.wait()
                sequence, batch = self._outbound.batch_after(taken)
                try:
                    await self._push_batch(peer, sequence, batch)
                except ConnectionFailedError:
                    # Once more on a new connection; the client knows the batch by its number if it has it already.
                    peer.close()
                    peer = await self._connect_callback(uri)
                    await self._push_batch(peer, sequence, batch)
                taken = sequence
                self._heard = self._loop.time()
        except (JMSError, RemoteCallError) as error:
            self._callback = None
            reason = f"its callback object cannot be called: {error}"
            self._engine.incidents.report(Incident(CUT_OFF, reason, "rmi", self._address, self._connection))
            await self.end(reason)
        finally:
            peer.close()

    async def _push_batch(self, peer: CallbackPeer, sequence: int, batch: bytes) -> None:
        await peer.call(
            "new_messages", (sequence,), {}, annotations={ANNOTATION: batch}, timeout=self._callback_timeout
        )

    def _target(self, text: str) -> Destination:
        found = self._targets.get(text)
        if found is None:
            found = parse_target(_text(text))
            if len(self._targets) >= _TARGETS_REMEMBERED:
                self._targets.clear()
            self._targets[text] = found
        return found


_TARGETS_REMEMBERED = 1000

_SUBSCRIBE_OPTIONS: Mapping[str, type] = {
    "durable": str,
    "selector": str,
    "no_local": bool,
    "prefetch": int,
    "prefetch_bytes": int,
    "settled": tuple,
    "held": tuple,
    "shared": bool,
    "name": str,
    "priority": int,
    "exclusive": bool,
    "retroactive": bool,
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MessageFormatError(f"a destination is text such as queue://name, not {type(value).__name__}")
    return value


def _temporary(text: object) -> Temporary:
    found = parse_destination(_text(text))
    if not isinstance(found, TEMPORARY):
        raise InvalidDestinationError(
            f"{found} is not temporary; write temp-queue://NAME or temp-topic://NAME", destination=str(found)
        )
    return found


_RELEASE_OPTIONS: Mapping[str, type] = {"delay": int, "maximum": int, "dead": bool, "reason": str, "keep": bool}


def _chosen(options: Mapping[str, object], table: Mapping[str, type], whose: str) -> dict[str, object]:
    """The options, if the table has them and they are of its types."""
    unknown = set(options) - table.keys()
    if unknown:
        raise IllegalStateError(f"unknown options {sorted(map(str, unknown))}; {whose} has {sorted(table)}")
    chosen: dict[str, object] = {}
    for name, value in options.items():
        wanted = table[name]
        if wanted is tuple:
            chosen[name] = _tags(name, value)
        elif type(value) is wanted:
            chosen[name] = value
        else:
            raise IllegalStateError(
                f"option {name} of {whose} takes {wanted.__name__}, not {type(value).__name__}", option=name
            )
    return chosen


def _number(value: object) -> int:
    if type(value) is not int:
        raise IllegalStateError(f"a consumer is known by a number, not by {type(value).__name__}")
    return value


def _tags(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(tag) is int for tag in value):
        raise IllegalStateError(f"{name} must be a list of whole numbers")
    return tuple(value)


def _place(value: object) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) == 2:
        return _number(value[0]), _number(value[1])
    raise MessageFormatError("a place in a queue is a pair of numbers: priority and id")


def _outcome(answer: asyncio.Future[object]) -> dict[str, object] | None:
    error = answer.exception()
    if error is None:
        return None
    if not isinstance(error, JMSError):
        error = StoreError(f"the server failed: {error}")
    return error.to_dict()
