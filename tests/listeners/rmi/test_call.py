"""The call under way, seen from plain methods, futures and coroutines."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from rmimom.errors import IllegalStateError
from rmimom.listeners.rmi import call as call_module
from rmimom.listeners.rmi.call import Call, current_call, start
from rmimom.listeners.rmi.peer import Peer
from rmimom.rmi import wire


class Line:
    def shut(self, reason: str) -> None: ...


def new_call(correlation: bytes = wire.NO_CORRELATION) -> Call:
    return Call(Peer(Line(), ("h", 1)), {}, correlation)


def test_outside_of_a_call_there_is_none() -> None:
    with pytest.raises(IllegalStateError, match="no remote call"):
        current_call()


def test_a_correlation_id_is_given_if_there_is_one() -> None:
    number = uuid.uuid4()
    assert new_call(number.bytes).correlation_id == number
    assert new_call().correlation_id is None


def test_a_coroutine_sees_its_own_call_at_every_step() -> None:
    seen: dict[str, list[Call]] = {"a": [], "b": []}

    async def method(name: str) -> str:
        for _ in range(3):
            seen[name].append(current_call())
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            seen[name].append(current_call())
        return name

    async def between() -> None:
        for _ in range(10):
            assert call_module.current is None
            await asyncio.sleep(0)

    async def main() -> None:
        calls = {"a": new_call(), "b": new_call()}
        futures = [start(calls[name], method(name)) for name in "ab"]
        await between()
        assert await asyncio.gather(*futures) == ["a", "b"]
        assert seen == {name: [calls[name]] * 4 for name in "ab"}

    asyncio.run(main())


def test_an_error_of_a_coroutine_leaves_no_call_behind() -> None:
    async def method() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await start(new_call(), method())
        assert call_module.current is None

    asyncio.run(main())


def test_a_coroutine_that_waits_for_nothing_can_be_cancelled_too() -> None:
    async def method() -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    async def main() -> None:
        future = start(new_call(), method())
        await asyncio.sleep(0)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(main())


def test_a_cancelled_coroutine_is_told() -> None:
    told: list[object] = []

    async def method() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append(current_call())
            raise

    async def main() -> None:
        call = new_call()
        future = start(call, method())
        await asyncio.sleep(0)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert told == [call]

    asyncio.run(main())


def test_futures_and_other_awaitables_are_waited_for() -> None:
    class Five:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield from asyncio.sleep(0).__await__()
            return 5

    async def main() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        assert start(new_call(), future) is future
        future.cancel()
        assert await start(new_call(), Five()) == 5

    asyncio.run(main())
