"""The call under way: what an exposed method can learn about who asks, and what it can add to the answer.

Pyro5 keeps this in a thread-local object; here many calls are open in one thread, so each has its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rmimom.errors import IllegalStateError
from rmimom.rmi import wire

if TYPE_CHECKING:
    from rmimom.listeners.rmi.peer import Peer


class Call:
    """One call of a remote method.

    `annotations` are views into the bytes that came: copy what must live longer than the message.
    `reply_annotations` may be filled until the awaitable that the method returned is done.
    """

    __slots__ = ("annotations", "correlation", "peer", "reply_annotations")

    def __init__(self, peer: Peer, annotations: dict[str, memoryview], correlation: bytes) -> None:
        self.peer = peer
        self.annotations = annotations
        self.reply_annotations: dict[str, wire.Buffer] = {}
        self.correlation = correlation

    @property
    def correlation_id(self) -> UUID | None:
        """The id under which the caller can find this call in logs; the answer carries it too."""
        return UUID(bytes=self.correlation) if self.correlation != wire.NO_CORRELATION else None


current: Call | None = None
"""Set by the connection around each step of a method; ask `current_call`."""


def current_call() -> Call:
    """The call that is being served.

    Good while a plain method runs, until it returns, and everywhere in an `async def` method.  A method that returns a
    future keeps the Call if it needs it later.  Raises IllegalStateError anywhere else.
    """
    if current is None:
        raise IllegalStateError("no remote call is being served here: ask while the exposed method runs")
    return current


class _Steps(Awaitable[Any]):
    """Runs a coroutine and makes its call the current one during each of its steps."""

    def __init__(self, call: Call, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._call = call
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        global current
        coroutine = self._coroutine
        failure: BaseException | None = None
        while True:
            current = self._call
            try:
                waited = coroutine.send(None) if failure is None else coroutine.throw(failure)
            except StopIteration as end:
                return end.value
            finally:
                current = None
            failure = None
            try:
                yield waited
            except BaseException as error:  # noqa: BLE001 - it belongs into the coroutine, whatever it is
                failure = error


async def _run(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def start(call: Call, awaitable: Awaitable[Any]) -> asyncio.Future[Any]:
    """A future for what a method returned; a coroutine begins to run in the next turn of the loop."""
    if asyncio.isfuture(awaitable):
        return awaitable
    if asyncio.iscoroutine(awaitable):
        awaitable = _Steps(call, awaitable)
    return asyncio.get_running_loop().create_task(_run(awaitable))
