"""Shows paid gifts to their rooms, in batches, exactly once however often it is asked."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from redis.exceptions import RedisError

from rooms.history import Event, History

log = structlog.get_logger()

BATCH_MAX: Final = 200
WAITING_MAX: Final = 20_000
TOGETHER_S: Final = 0.01
"""A room that was shown gifts just now is shown the next ones so much later, together; shorter than its tick."""


class Announcer:
    """Appends gifts to rooms' histories; what cannot be shown now is shown by the flusher's catch-up later."""

    def __init__(self, history: History, on_announced: Callable[[int], None], on_failed: Callable[[], None]) -> None:
        self._history = history
        self._on_announced, self._on_failed = on_announced, on_failed
        self._waiting: dict[str, list[Event]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    def submit(self, room: str, event: Event) -> None:
        """Show an event soon, after those submitted before it for the same room."""
        waiting = self._waiting.setdefault(room, [])
        if len(waiting) >= WAITING_MAX:
            self._on_failed()
            return
        waiting.append(event)
        if room not in self._workers:
            self._workers[room] = asyncio.create_task(self._work(room), name=f"announce {room}")

    async def _work(self, room: str) -> None:
        try:
            while waiting := self._waiting.pop(room, None):
                for start in range(0, len(waiting), BATCH_MAX):
                    await self._show(room, waiting[start : start + BATCH_MAX])
                await asyncio.sleep(TOGETHER_S)
        finally:
            # Here, not when the task is done: a gift that came in between would wait for a worker that has ended.
            del self._workers[room]

    async def _show(self, room: str, events: list[Event]) -> None:
        try:
            self._on_announced(await self._history.append(room, events))
        except (RedisError, OSError, TimeoutError) as problem:
            self._on_failed()
            log.warning("gifts_not_announced", room=room, error=type(problem).__name__)

    async def close(self) -> None:
        """Wait for what was submitted."""
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
