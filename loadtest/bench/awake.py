"""A loop that never sleeps: who writes to a sleeping process on the same machine pays for waking it.

Across a network the receiver's machine pays. On one machine it would be the servers' time, and the more of it, the less
busy the viewers are; so the viewers of the fan-out benchmark look for bytes all the time.
"""

import asyncio
import time
from collections.abc import Callable


class Awake:
    """Keeps the running loop awake until `stop`, and tells how long it had something to read."""

    def __init__(self, reads: Callable[[], int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._reads, self._seen = reads, reads()
        self._at_s = time.perf_counter()
        self._next = self._loop.call_soon(self._turn)
        self.busy_s = 0.0

    def _turn(self) -> None:
        now_s, seen = time.perf_counter(), self._reads()
        if seen != self._seen:
            self.busy_s += now_s - self._at_s
        self._at_s, self._seen = now_s, seen
        self._next = self._loop.call_soon(self._turn)

    def stop(self) -> None:
        """Let the loop sleep again."""
        self._next.cancel()
