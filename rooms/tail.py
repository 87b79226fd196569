"""The last events of a room, kept in its process: a thousand who come back cost one read of its history, or none."""

import asyncio
from collections.abc import Sequence
from typing import Final

from rooms.codec import Encoded
from rooms.history import RESUME_MAX, History
from rooms.tick import Renderer, Shown

KEPT_S: Final = 60.0
"""Events are kept for so long; who was away for longer is told from the history."""


class Tail:
    """A contiguous run of events up to the newest one, each encoded once however many are told of it."""

    def __init__(self, room_id: str, epoch: str, offset: int, history: History, renderer: Renderer) -> None:
        self._room_id, self._epoch = room_id, epoch
        self._history, self._renderer = history, renderer
        self._events: list[Shown] = []
        self._end = offset
        self._ages: list[tuple[float, int]] = []
        self._reading: asyncio.Task[None] | None = None
        self._reached: int | None = None

    def append(self, event: Shown) -> None:
        """The event that follows."""
        self._events.append(event)
        self._end = event.offset
        if len(self._events) >= 2 * RESUME_MAX:
            del self._events[:-RESUME_MAX]

    @property
    def begin(self) -> int:
        """The offset after which everything is here."""
        return self._end - len(self._events)

    async def between(self, after: int, upto: int) -> Sequence[Encoded] | None:
        """All events after one offset up to another, in order, or None when they cannot all be given.

        Those who come together share one read. Raises RedisError, OSError or TimeoutError when it fails.
        """
        if not upto - RESUME_MAX <= after <= upto <= self._end:
            return None
        if after < self.begin and self._reached != self.begin:
            await self._read()
        if after < self.begin:
            return None
        begin = self.begin
        return [event.encoded for event in self._events[after - begin : upto - begin]]

    async def _read(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._prepend(), name=f"tail of {self._room_id}")
            self._reading.add_done_callback(self._done)
        await asyncio.shield(self._reading)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # it is for those who wait; nobody may be left

    async def _prepend(self) -> None:
        epoch, records = await self._history.page(self._room_id, max(0, self._end - RESUME_MAX), RESUME_MAX)
        begin = self.begin
        older = [record for record in records if record.offset <= begin] if epoch == self._epoch else []
        first = len(older)
        while first and older[first - 1].offset == begin - (len(older) - first):
            first -= 1
        self._events[:0] = [Shown.of(record, self._renderer) for record in older[first:]]
        self._reached = self.begin
        self.age(asyncio.get_running_loop().time())

    def age(self, now_s: float) -> None:
        """Let go of what was kept for KEPT_S; call this now and then."""
        if self._events and (not self._ages or self._ages[-1][1] != self._end):
            self._ages.append((now_s, self._end))
        old = 0
        while old < len(self._ages) and self._ages[old][0] <= now_s - KEPT_S:
            old += 1
        if old:
            upto = self._ages[old - 1][1]
            del self._ages[:old]
            del self._events[: max(0, upto - self.begin)]
