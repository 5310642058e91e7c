"""Something that takes time to make and must be closed: awaited, or entered with `async with`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar


class Closing(Protocol):
    """What has an end."""

    async def close(self) -> None:
        """End it; twice is harmless."""
        ...


_T = TypeVar("_T", bound=Closing)


class Opening(Generic[_T]):
    """What the `create_...` methods return: `await` it for the object, or let `async with` make and close it."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        self._make = make
        self._made: list[_T] = []

    def __await__(self) -> Generator[Any, Any, _T]:
        return self._make().__await__()

    async def __aenter__(self) -> _T:
        made = await self._make()
        self._made.append(made)
        return made

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._made.pop().close()
