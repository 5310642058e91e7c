"""Processes of a simulated world: each can be killed or stopped at any moment, while the others go on.

    with ProcessLoop(chance) as loop:
        process = Process(loop, "a")
        process.begin(main)

What a process schedules belongs to it, by its context: after `kill` nothing of it ever runs again, not even what
`finally` promised, and between `stop` and `go_on` everything waits in its order, as with SIGKILL, SIGSTOP and SIGCONT.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import warnings
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, NamedTuple

from support.simulated import SimulatedLoop

_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def current_process() -> Process | None:
    """Whose code runs; None for the world itself, and for the clients in it."""
    return _PROCESS.get()


class _Piece(NamedTuple):
    """Work that waits until its process goes on."""

    handle: asyncio.Handle
    context: Context
    callback: Callable[..., object]
    arguments: tuple[object, ...]


class Process:
    """One life of a process; to start it again, make another.  `context` is where its code runs."""

    def __init__(self, loop: ProcessLoop, name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped = False
        self.steps = 0
        """How many pieces of work it has done."""
        self._last_step = 0
        self._at_last_step: Callable[[], None] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.context = copy_context()
        self.context.run(_PROCESS.set, self)
        self._loop = loop
        self._waiting: list[_Piece] = []
        loop.processes.append(self)

    def __repr__(self) -> str:
        return f"<Process {self.name}>"

    def begin(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run its main coroutine."""
        self.context.run(lambda: self._loop.create_task(main()))

    def soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Let it do something, unless it is dead by then."""
        self._loop.call_soon(function, *arguments, context=self.context)

    def kill(self) -> None:
        """End at once.  What it was doing is kept as it was, so that nothing tidies up after it."""
        self.alive = False
        self._waiting.clear()

    def after(self, steps: int, function: Callable[[], None]) -> None:
        """Call `function` between two pieces of its work, so many from now on."""
        self._last_step = self.steps + steps
        self._at_last_step = function

    def stop(self) -> None:
        """Let it do nothing, until `go_on`."""
        self.stopped = True

    def go_on(self) -> None:
        """Do what has waited, in its order."""
        self.stopped = False
        waiting, self._waiting = self._waiting, []
        for piece in waiting:
            asyncio.BaseEventLoop.call_soon(
                self._loop, self.run, [piece.handle], piece.callback, *piece.arguments, context=piece.context
            )

    def run(self, handle: list[asyncio.Handle], callback: Callable[..., object], *arguments: object) -> None:
        """Do a piece of its work, now or later or never; `handle` is the one by which it may have been cancelled."""
        if not self.alive or handle[0].cancelled():
            return
        if self.stopped:
            self._waiting.append(_Piece(handle[0], copy_context(), callback, arguments))
            return
        self.steps += 1
        if self._at_last_step is not None and self.steps > self._last_step:
            then, self._at_last_step = self._at_last_step, None
            self._loop.context.copy().run(then)
            if not self.alive:
                return
        callback(*arguments)


class ProcessLoop(SimulatedLoop):
    """A simulated loop that knows whose work it does.  What others do in threads takes time here, and no thread."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.processes: list[Process] = []
        self.context = copy_context()
        """Of the world itself."""

    def close(self) -> None:
        """End everything, without letting it do anything more that matters."""
        left = list(asyncio.all_tasks(self))
        for process in self.processes:
            process.kill()
            left += process.tasks
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio has no other way to say so
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about calls that had come and were never begun
                task.get_coro().close()  # type: ignore[union-attr]
        super().close()

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """See asyncio."""
        context = context if context is not None else copy_context()
        process = context.get(_PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        cell: list[asyncio.Handle] = []
        handle = super().call_soon(process.run, cell, callback, *args, context=context)
        cell.append(handle)
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        """See asyncio."""
        context = context if context is not None else copy_context()
        process = context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        cell: list[asyncio.Handle] = []
        handle = super().call_at(when, process.run, cell, callback, *args, context=context)
        cell.append(handle)
        return handle

    def create_task(self, coro: Any, **named: Any) -> asyncio.Task[Any]:
        """See asyncio."""
        task = super().create_task(coro, **named)
        process = current_process()
        if process is not None:
            process.tasks.add(task)
            task.add_done_callback(process.tasks.discard)
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        """Do the work a moment later, and tell of it another moment later, as a thread would."""
        del executor
        done: asyncio.Future[Any] = self.create_future()

        def settle(result: object, error: Exception | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)

        def work() -> None:
            try:
                outcome = func(*args), None
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                outcome = None, error
            self.call_later(0.0001, settle, *outcome)

        self.call_later(self.chance.choice((0.0, 0.0003, 0.002, 0.02)), work)
        return done
