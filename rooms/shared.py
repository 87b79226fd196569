"""One read at a time, for everybody who asks for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Who asks while a read is under way gets the next one, together with all others: nobody's answer is older than
    the question, and a thousand who ask at once cost two reads.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._now: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """What a read that begins from now on finds. Raises its errors."""
        if self._next is None:
            self._next = asyncio.create_task(self._run(self._now), name="shared read")
            self._next.add_done_callback(_look_at)
        return await asyncio.shield(self._next)

    async def _run(self, before: "asyncio.Task[T] | None") -> T:
        if before is not None:
            await asyncio.wait([before])
        self._now, self._next = self._next, None
        return await self._read()


def _look_at(task: "asyncio.Task[T]") -> None:
    """Its error is for those who wait; nobody may be left."""
    if not task.cancelled():
        task.exception()
