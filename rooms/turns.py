"""Who writes when: the blocks of all rooms of a process take turns, so that no large room holds up the others."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

SLICE: Final = 500
"""Sockets that are written to before other work has its turn: about 2 ms."""


class Writer(Protocol):
    """Somebody with something to write."""

    def write(self, most: int) -> int:
        """Write to the next sockets, at most so many; to how many it was."""
        ...

    @property
    def more(self) -> bool:
        """Whether it wants another turn."""
        ...


class Turns:
    """The turns of one process. `on_slice` is told the CPU seconds and the sockets of each slice."""

    def __init__(self, on_slice: Callable[[float, int], None]) -> None:
        self._on_slice = on_slice
        self._queue: deque[Writer] = deque()
        self._next: asyncio.Handle | None = None
        self._working = False

    def ask(self, writer: Writer) -> None:
        """Its turn comes: now, when nobody had one in this loop turn. Ask once until nothing is left to write."""
        self._queue.append(writer)
        if self._next is None and not self._working:
            self._work()

    def _work(self) -> None:
        started_s, left = time.thread_time(), SLICE
        self._working = True
        try:
            while self._queue and left > 0:
                left -= self._turn(self._queue.popleft(), left)
        finally:  # whatever happens to one of them, the others have their turns
            self._working = False
            written = left < SLICE  # then those who ask now wait for the loop's next turn
            self._next = asyncio.get_running_loop().call_soon(self._work) if written or self._queue else None
            self._on_slice(time.thread_time() - started_s, SLICE - left)

    def _turn(self, writer: Writer, most: int) -> int:
        try:
            return writer.write(most)
        finally:
            if writer.more:
                self._queue.append(writer)
