"""How many may come at once: a few are let in at a time, the others wait their turn or are told when to come back.

Whoever is in already is served meanwhile: between two turns of those who come the loop looks after everybody else.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

AT_ONCE: Final = 32
WAITING_MAX: Final = 1_000
AHEAD_S: Final = 0.5
"""Those who come within this time of their place wait for it here."""


class Admission:
    """`per_s` may come a second. One loop's; not for threads."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1.0 / per_s
        self._place_s = self._later_s = 0.0
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    def ask(self) -> int:
        """0 for one who may come in, who must then wait for a `turn`; else the ms after which there is a place.

        Each who is sent away gets a later place than the one before, so that they do not come back together.
        """
        now_s = time.monotonic()
        self._place_s = max(self._place_s, now_s - AHEAD_S)
        if self._place_s <= now_s + AHEAD_S and self._waiting < WAITING_MAX:
            self._place_s += self._step_s
            return 0
        self._later_s = max(self._later_s, self._place_s, now_s) + self._step_s
        return max(1, int((self._later_s - now_s) * 1_000))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one of the few turns for the time of the block, first come, first served."""
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()
