"""Serving the calls of one proxy: what is called is found, run, and its result or error is the answer.

Nothing here starts a task or a timer for an ordinary call: a plain result is answered in the same turn, a future by
its callback, and meanwhile the connection is held.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from Pyro5 import core
from Pyro5.errors import ProtocolError as PyroProtocolError
from Pyro5.errors import PyroError, SerializeError

from rmimom.errors import JMSError
from rmimom.listeners.rmi import call as call_module
from rmimom.listeners.rmi.call import Call
from rmimom.listeners.rmi.peer import Line, Peer
from rmimom.rmi import exceptions, serializers, wire
from rmimom.rmi.exposure import Exposure, get_attribute, set_attribute
from rmimom.rmi.wire import Message

if TYPE_CHECKING:
    from rmimom.listeners.rmi.listener import RmiListener

log = logging.getLogger(__name__)

_REMEMBERED: Final = 512
"""Bytes of the longest payload that is remembered, see `_decode`."""

_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes, list, dict, tuple, set})
_CONSTANT: Final = frozenset({type(None), bool, int, float, str, bytes})


class AnsweringLine(Line, Protocol):
    """What serving needs of the connection."""

    def hold(self) -> None:
        """A call has no answer yet: nothing more is served until `release`."""
        ...

    def release(self) -> None:
        """The call is answered."""
        ...

    def write(
        self,
        message: Message,
        payload: bytes,
        *,
        type: int = wire.RESULT,
        flags: int = 0,
        serializer: int = 0,
        annotations: dict[str, wire.Buffer] | None = None,
    ) -> None:
        """Answer `message`."""
        ...


class Serving:
    """Serves the calls of one peer, of which the connection gives one at a time."""

    __slots__ = ("_line", "_listener", "_peer", "_remembered", "_remembered_payload")

    def __init__(self, line: AnsweringLine, peer: Peer, listener: RmiListener) -> None:
        self._line = line
        self._peer = peer
        self._listener = listener
        self._remembered_payload = b""
        self._remembered: tuple[int, serializers.Call] | None = None

    def forget(self) -> None:
        """The connection is gone."""
        self._remembered = None

    def invoke(self, message: Message) -> None:
        """Make the call and answer it, now or when its result is there."""
        listener = self._listener
        listener.calls += 1
        call = Call(self._peer, message.annotations, message.correlation_id)
        try:
            object_id, method, arguments, keywords = self._decode(message)
            target, exposure = listener.registry.lookup(object_id)
            if message.flags & wire.BATCH:
                result: object = self._run_batch(call, target, exposure, arguments)
            else:
                call_module.current = call
                try:
                    if method in exposure.methods:
                        result = getattr(target, method)(*arguments, **keywords)
                    else:
                        result = _special(target, method, arguments)
                finally:
                    call_module.current = None
            if type(result) not in _PLAIN:
                if isinstance(result, Awaitable):
                    self._await(message, call, result)
                    return
                if isinstance(result, Iterator):
                    self._open_stream(message, call, result)
                    return
            self._answer(message, call, result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            self.fail(message, error)

    def _decode(self, message: Message) -> serializers.Call:
        # A proxy that works hard mostly says the same again and again (`exchange()`, with the news in an annotation),
        # so the last small call with constant arguments is remembered.
        payload = message.payload
        if payload == self._remembered_payload and self._remembered is not None:
            serializer, decoded = self._remembered
            if serializer == message.serializer:
                return decoded
        if message.flags & wire.KEEP_SERIALIZED:
            # The name of the method would have to be read from marshal data.
            raise SerializeError("SerializedBlob is not accepted: call the method with plain arguments")
        decoded = serializers.loads_call(message.serializer, payload)
        if len(payload) <= _REMEMBERED and not decoded[3] and all(type(value) in _CONSTANT for value in decoded[2]):
            self._remembered_payload = payload
            self._remembered = (message.serializer, decoded)
        return decoded

    def _await(self, message: Message, call: Call, awaitable: Awaitable[Any]) -> None:
        future = call_module.start(call, awaitable)
        if future.done():
            self._settle(message, call, future)
        else:
            self._line.hold()
            future.add_done_callback(partial(self._done, message, call))

    def _done(self, message: Message, call: Call, future: asyncio.Future[Any]) -> None:
        if self._peer.closed:
            if not future.cancelled():
                future.exception()  # nobody is left to hear it
            return
        self._settle(message, call, future)
        self._line.release()

    def _settle(self, message: Message, call: Call, future: asyncio.Future[Any]) -> None:
        """Answer with the result of a future that is done."""
        try:
            result = future.result()
            if isinstance(result, Iterator):
                self._open_stream(message, call, result)
            else:
                self._answer(message, call, result)
        except asyncio.CancelledError:
            self.fail(message, PyroError("the call was cancelled by the server"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            self.fail(message, error)

    async def _run_batch(self, call: Call, target: object, exposure: Exposure, calls: Any) -> list[object]:
        """Several calls of one object in one message, as Pyro5 does it: in order, up to the first that fails."""
        results: list[object] = []
        for method, arguments, keywords in calls:
            if method not in exposure.methods:
                raise AttributeError(_unknown(method))
            try:
                result = getattr(target, method)(*arguments, **keywords)
                if type(result) not in _PLAIN and isinstance(result, Awaitable):
                    result = await result
            except Exception as error:  # noqa: BLE001 - it is one of the results
                self._listener.failed_calls += 1
                results.append(core._ExceptionWrapper(exceptions.prepare_for_wire(error)))
                break
            results.append(result)
        return results

    def _answer(self, message: Message, call: Call, result: object) -> None:
        if message.flags & wire.ONEWAY:
            return
        payload = serializers.dumps(message.serializer, result)
        flags = message.flags & wire.BATCH
        self._line.write(message, payload, flags=flags, annotations=call.reply_annotations)

    def _open_stream(self, message: Message, call: Call, items: Iterator[object]) -> None:
        if message.flags & wire.ONEWAY:
            return
        stream = self._listener.registry.streams.open(self._peer, items)
        call.reply_annotations["STRM"] = stream.encode("ascii")
        # Pyro5 sends an exception beside the flag, for proxies that do not know streams.
        error = PyroProtocolError("result of call is an iterator")
        payload = serializers.dumps(message.serializer, error)
        self._line.write(message, payload, flags=wire.ITEM_STREAM | wire.EXCEPTION, annotations=call.reply_annotations)

    def fail(self, message: Message, error: BaseException) -> None:
        """Answer a call with an error."""
        self._listener.failed_calls += 1
        if not isinstance(error, JMSError | PyroError | StopIteration):
            log.debug("a call of %r failed", self._peer, exc_info=error)
        if message.flags & wire.ONEWAY:
            return
        serializer = message.serializer
        if serializer not in serializers.ACCEPTED:
            # A proxy expects its answer in its own serializer: all it can get from us is an end.
            serializer = serializers.SERPENT
        error = exceptions.prepare_for_wire(error)
        try:
            payload = serializers.dumps(serializer, error)
        except Exception as second:  # noqa: BLE001 - arguments of an exception can be anything
            plain = PyroError(f"{type(error).__name__}: {error} (it cannot be serialized: {second})")
            plain._pyroTraceback = getattr(error, exceptions.TRACEBACK, None)
            payload = serializers.dumps(serializer, plain)
        self._line.write(message, payload, flags=wire.EXCEPTION, serializer=serializer)
        if serializer != message.serializer:
            self._line.shut("its serializer is not accepted")


def _unknown(method: object) -> str:
    return f"attempt to access unexposed or unknown remote method '{method}'"


def _special(target: object, method: str, arguments: Any) -> object:
    """What is no exposed method: an attribute, as Pyro5 spells it, or an error."""
    if method == "__getattr__" and len(arguments) == 1:
        return get_attribute(target, arguments[0])
    if method == "__setattr__" and len(arguments) == 2:
        set_attribute(target, arguments[0], arguments[1])
        return None
    raise AttributeError(_unknown(method))
