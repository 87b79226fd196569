"""Sessions that were ended: their tokens count no more, on every process within seconds, and their sockets close."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog

from giftserver.auth.tokens import LIFE_MAX_S, Identity

log = structlog.get_logger()

READ_S: Final = 10.0
"""A process that was not told reads of an end after this."""

KEPT_S: Final = LIFE_MAX_S + 300
"""A token that was issued longer ago has run out by itself, leeway and all."""


class SessionEnds:
    """What this process knows of ended sessions. `on_end` is called once for each end it hears of."""

    def __init__(self, read: Callable[[int], Awaitable[dict[str, int]]]) -> None:
        self._read = read
        self._before_s: dict[str, int] = {}
        self.on_end: Callable[[str], None] = lambda user: None

    def ended(self, identity: Identity) -> bool:
        """Whether this identity's token was issued before its person's sessions were ended."""
        if not self._before_s or identity.user is None:
            return False
        before_s = self._before_s.get(identity.user)
        return before_s is not None and identity.issued_s <= before_s

    def hear(self, user: str, before_s: int) -> None:
        """A person's sessions up to a moment are over."""
        if before_s > self._before_s.get(user, 0):
            self._before_s[user] = before_s
            self.on_end(user)

    async def run(self) -> None:
        """Read what was ended, again and again; while that fails, what is known holds. Ends when it is cancelled."""
        while True:
            since_s = int(time.time()) - KEPT_S
            try:
                for user, before_s in (await self._read(since_s)).items():
                    self.hear(user, before_s)
                for user in [user for user, before_s in self._before_s.items() if before_s < since_s]:
                    del self._before_s[user]
            except Exception as problem:  # the driver's errors differ by cause
                log.warning("session_ends_unread", error=type(problem).__name__)
            await asyncio.sleep(READ_S)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read until the block ends."""
        task = asyncio.create_task(self.run(), name="session ends")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
